"""Attempts at one task take turns, so that two of them never ask for the same thing at once.

Spark starts another attempt while an earlier one still works: a copy of a slow task, the whole
stage anew when the input of one of its tasks is lost with an executor, or an executor that it has
given up too early. The later attempt waits here, and then finds all answers of the earlier one in
the spool.
"""

from __future__ import annotations

import fcntl
import logging
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from streaming_eval.errors import StorageError

_LOG = logging.getLogger(__name__)


class AttemptTurn:
    """Held by one attempt at a time; the kernel passes it on when the holder's process ends.

    Supported: attempts on one machine, or on machines whose shared file system has locks that its
    clients see.
    Not supported: file systems without locks; attempts then do not wait for each other.

    Args:
        spool: the batch's directory, which the driver has made.
        task: number of the task within the batch.
    """

    def __init__(self, spool: Path, task: int) -> None:
        self._path = spool / f"task-{task}.turn"
        self._file = -1

    def __enter__(self) -> Self:
        """Waits for the turn.

        Raises:
            StorageError: the batch is over.
        """
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except FileNotFoundError:
            raise self._too_late() from None
        try:
            self._wait()
            self.confirm()
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._release()

    def confirm(self) -> None:
        """Returns if the answers of the batch still lie in the spool, as they do until it is over.

        Once they have been read, an attempt that finds them gone cannot know what was paid for.

        Raises:
            StorageError: the batch is over.
        """
        try:
            there = self._path.stat()
        except FileNotFoundError:
            raise self._too_late() from None
        if there.st_ino != os.fstat(self._file).st_ino:
            raise self._too_late()

    def _wait(self) -> None:
        try:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                _LOG.warning("%s: waiting for another attempt at this task", self._path)
                fcntl.flock(self._file, fcntl.LOCK_EX)
        except OSError as error:
            _LOG.warning(
                "%s cannot be locked (%s): should Spark run this task twice at once, both attempts "
                "pay for their calls",
                self._path,
                error.strerror,
            )

    def _release(self) -> None:
        os.close(self._file)

    def _too_late(self) -> StorageError:
        return StorageError(f"{self._path.parent}: the batch is over, this attempt came too late")
