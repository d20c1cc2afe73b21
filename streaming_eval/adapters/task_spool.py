"""Where a task's answers are written ahead: its own file, and `late` files after its end."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from streaming_eval.adapters.spool import SUFFIX, SpoolWriter
from streaming_eval.inference.cache.paid_answer import PaidAnswer

LATE = "late"
"""Directory beside those of the batches; its files are whole as soon as they have their name."""


class TaskSpool:
    """Keeps what a task has paid for, also what is answered after the task has ended.

    For one thread.

    Args:
        directory: of the task's batch.
    """

    def __init__(self, directory: Path) -> None:
        self._late = directory.parent / LATE
        self._writer: SpoolWriter | None = SpoolWriter(directory / _name())

    def append(self, answer: PaidAnswer) -> None:
        """Write one answer.

        Raises:
            StorageError: the disk did not take all of it.
        """
        if self._writer is not None:
            self._writer.append(answer)
            return
        partial = (self._late / _name()).with_suffix(".partial")
        with SpoolWriter(partial) as writer:
            writer.append(answer)
        partial.replace(partial.with_suffix(SUFFIX))

    def close(self) -> None:
        """Ends the task's own file; what comes later has one of its own."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()


def _name() -> str:
    return f"{os.getpid()}-{uuid.uuid4().hex}{SUFFIX}"
