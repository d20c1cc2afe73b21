"""Which jobs use a `responses` table now, and where each keeps what it has not committed yet.

Beside the table lies a directory with one small file per job, which holds the path of its spool.
The job has a lock on it for as long as it runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from streaming_eval.adapters.byte_locks import ByteLocks

_LOOKS_EVERY_S = 1.0
_ALIVE = 1 << 62  # far behind the content
_NONE = Path()  # in the moment between the making of a file and its content


class CacheMember:
    """Held by a job's driver as long as the job runs.

    Args:
        responses: the table's directory.
        spool: the job's; it must be there.
    """

    def __init__(self, responses: Path, spool: Path) -> None:
        content = bytes(spool.absolute())
        self._locks = ByteLocks(_directory(responses) / sha256(content).hexdigest()[:32])
        self._locks.write(content)
        self._locks.take(_ALIVE, shared=True)

    def release(self) -> None:
        """Says that the job runs no more; may be called twice."""
        self._locks.close()


class CacheMembers:
    """The jobs on a table, as a worker of one of them sees them; a second behind at most.

    Args:
        responses: the table's directory.
        own: the spool of the worker's job.
        clock: monotonic seconds.
    """

    def __init__(
        self, responses: Path, own: Path, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._directory, self._own, self._clock = _directory(responses), own.absolute(), clock
        self._looks_at = clock()
        self._spools: tuple[Path, ...] = (self._own,)
        self._present = False

    def present(self) -> bool:
        """Whether another job runs."""
        if self._clock() >= self._looks_at:
            self._looks_at = self._clock() + _LOOKS_EVERY_S
            self._refresh()
        return self._present

    @property
    def spools(self) -> tuple[Path, ...]:
        """Of all jobs, this one's included; of jobs that were killed, too, for what they left."""
        self.present()
        return self._spools

    def _refresh(self) -> None:
        files = self._directory.iterdir() if self._directory.is_dir() else ()
        spools = {file: Path(file.read_text()) for file in files}
        others = {file: spool for file, spool in spools.items() if spool not in (self._own, _NONE)}
        self._spools = (self._own, *others.values())
        self._present = any(map(_alive, others))


def _directory(responses: Path) -> Path:
    return responses.with_name(f"{responses.name}.jobs")


def _alive(member: Path) -> bool:
    locks = ByteLocks(member)
    try:
        return locks.taken(_ALIVE)
    finally:
        locks.close()
