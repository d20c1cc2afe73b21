"""One server per directory: the second one is refused before it can touch a file of the first."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from streaming_eval.errors import EnvironmentProblem


class DirectoryLock:
    """Held by this process until released; the system releases it when the process ends.

    Args:
        directory: which; made where missing. The lock is its file `in-use`.
        owner: what holds it, for the message to the second comer.
    """

    def __init__(self, directory: Path, owner: str) -> None:
        self._directory = directory
        self._owner = owner
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Takes the lock; does nothing when this object has it already.

        Raises:
            EnvironmentProblem: somebody else has it.
        """
        if self._descriptor is not None:
            return
        self._directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._directory / "in-use", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise EnvironmentProblem(
                f"{self._owner} on {self._directory} is in use by another process: stop that one, "
                "or use another directory."
            ) from None
        self._descriptor = descriptor

    def release(self) -> None:
        """Gives the lock back; does nothing without it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
