"""Who uses a `responses` table: jobs side by side, or one that needs it for itself.

Two locks lie beside the table's directory; the kernel frees them when their process ends. They bind
the processes of this program only, on one machine. Other programs may append as they like.
"""

from __future__ import annotations

import fcntl
import logging
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streaming_eval.errors import StorageError

_LOG = logging.getLogger(__name__)


class CacheLease:
    """Held by a job as long as it runs: nobody deletes files under it meanwhile.

    Args:
        responses: the table's directory.

    Raises:
        StorageError: somebody has the table for himself.
    """

    def __init__(self, responses: Path) -> None:
        descriptor = _opened(_jobs_lock(responses))
        self._close = weakref.finalize(self, os.close, descriptor)
        if not _locked(descriptor, fcntl.LOCK_SH):
            self.release()
            raise StorageError(
                f"{responses} is being cleaned by streaming-eval cache; start again afterwards"
            )

    def release(self) -> None:
        """Gives the lease back; may be called twice."""
        self._close()


@contextmanager
def alone(responses: Path) -> Iterator[None]:
    """No job uses the table meanwhile, and none can start.

    Raises:
        StorageError: a job uses it.
    """
    descriptor = _opened(_jobs_lock(responses))
    try:
        if not _locked(descriptor, fcntl.LOCK_EX):
            raise StorageError(
                f"{responses} is in use by a running job; stop every job that shares this cache "
                "first, they go on where they were"
            )
        yield
    finally:
        os.close(descriptor)


@contextmanager
def writing(responses: Path) -> Iterator[None]:
    """Nobody else commits to the table meanwhile; waits for who does.

    Delta's own check makes the loser of a race between a deletion and an append fail, and a table
    that is appended to each second would never see a long deletion succeed.
    """
    descriptor = _opened(responses.with_name(f"{responses.name}.write.lock"))
    try:
        if not _locked(descriptor, fcntl.LOCK_EX):
            _LOG.debug("waiting for another process to finish its commit to %s", responses)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _jobs_lock(responses: Path) -> Path:
    return responses.with_name(f"{responses.name}.jobs.lock")


def _opened(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StorageError(f"cannot open {path}: {error.strerror}") from error


def _locked(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
