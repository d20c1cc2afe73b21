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
_OPEN = "open"


def open_batch(spool: Path) -> None:
    """Lets attempts work on the batch with this directory, which is made."""
    spool.mkdir(parents=True, exist_ok=True)
    close_batch(spool)  # to those of an earlier pass
    (spool / _OPEN).touch()


def close_batch(spool: Path) -> None:
    """Refuses all attempts from now on; to be called before the answers leave the spool."""
    (spool / _OPEN).unlink(missing_ok=True)


class AttemptTurn:
    """Held by one attempt at a time; the kernel passes it on when the holder's process ends.

    Supported: attempts on one machine, or on machines whose shared file system has locks that its
    clients see.
    Not supported: file systems without locks; attempts then do not wait for each other.

    Args:
        spool: the batch's directory, see `open_batch`.
        task: number of the task within the batch.
    """

    def __init__(self, spool: Path, task: int) -> None:
        self._spool, self._path = spool, spool / f"task-{task}.turn"
        self._file = -1
        self._batch: tuple[int, int] | None = None

    def __enter__(self) -> Self:
        """Waits for the turn.

        Raises:
            StorageError: the batch is over.
        """
        self._batch = self._opening()
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
        """Returns if the batch is still open, so that what has been read of its spool is all.

        Raises:
            StorageError: the batch is over.
        """
        if self._opening() != self._batch:
            raise self._too_late()

    def _opening(self) -> tuple[int, int]:
        """What tells one opening of the batch from another."""
        try:
            there = (self._spool / _OPEN).stat()
        except FileNotFoundError:
            raise self._too_late() from None
        return there.st_ino, there.st_ctime_ns

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
        return StorageError(f"{self._spool}: the batch is over, this attempt came too late")
