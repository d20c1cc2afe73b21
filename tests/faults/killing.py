"""Runs a job to its end through kills at given moments."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from streaming_eval.local.endpoint_process import RecordedEndpoint
from streaming_eval.pipeline import score_query
from tests.faults.job import JobError, JobProcess
from tests.faults.moments import AIMS, BEFORE_THE_FIRST_BATCH, Moment
from tests.faults.progress import NOTHING, Progress, checkpoint, progress
from tests.faults.site import Place

_POLL_S = 0.01
_RUN_LIMIT_S = 600.0
_UNREACHED_AFTER_BATCHES = 4
_UNREACHED_AFTER_S = 30.0  # with nothing happening
IDLE = "--stop-when-idle=20s"


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill as it happened.

    Attributes:
        at_ns: when, epoch nanoseconds.
        batch: newest score batch that was logged, -1 before the first.
        in_flight: calls that the endpoint was answering just before.
        reached: whether the files that the run left show it at its aim; a kill may come too late,
            or when nothing leads there any more.
        survivors: processes that outlived the JVM and had to be ended one by one.
        first_commit_s: from the start of the process to the first score batch it committed.
    """

    moment: Moment
    at_ns: int
    after_s: float
    batch: int
    in_flight: int
    reached: bool
    survivors: int
    first_commit_s: float | None


def run_undisturbed(place: Place) -> float:
    """Runs the job until it has nothing left to do; its seconds, the idle ones included."""
    with place.job(IDLE) as job:
        _end(job)
        return job.age_s


def run_killed(
    place: Place,
    endpoint: RecordedEndpoint,
    moments: Sequence[Moment],
    say: Callable[[str], None],
) -> list[Kill]:
    """Runs the job, kills it at each moment, starts it again, and lets the last run end."""

    def look() -> Progress:
        return progress(place.root, endpoint)

    kills: list[Kill] = []
    for moment in moments:
        with place.job(IDLE) as job:
            kills.append(_kill_at(moment, job, look))
        say(_told(len(kills), len(moments), kills[-1]))
        if moment.aim == BEFORE_THE_FIRST_BATCH:
            _plant_orphan(place.root, look())
    with place.job(IDLE) as job:
        _end(job)
    return kills


def _kill_at(moment: Moment, job: JobProcess, look: Callable[[], Progress]) -> Kill:
    watch = _Watch(moment, look())
    while not watch.over(job, now := look()):
        time.sleep(_POLL_S)
    time.sleep(moment.wait_s)
    after_s, at_ns = job.age_s, time.time_ns()
    survivors = job.kill()
    return Kill(
        moment=moment,
        at_ns=at_ns,
        after_s=after_s,
        batch=now.score_planned,
        in_flight=now.in_flight,
        reached=watch.hit(replace(look(), in_flight=now.in_flight)),
        survivors=survivors,
        first_commit_s=watch.first_commit_s,
    )


class _Watch:
    """Waits for one moment of one run."""

    def __init__(self, moment: Moment, began: Progress) -> None:
        self._moment, self._began, self._last = moment, began, began
        self._aimed: Progress | None = None
        self._changed_at = time.monotonic()
        self.first_commit_s: float | None = None

    def over(self, job: JobProcess, now: Progress) -> bool:
        """Whether it is time to kill."""
        if not job.running:
            raise job.failure("ended by itself before it could be killed")
        if now != self._last:
            self._changed_at, self._last = time.monotonic(), now
        if self.first_commit_s is None and now.score_done > self._began.score_done:
            self.first_commit_s = job.age_s
        early = job.age_s >= self._moment.at_s
        return early or self._aim_reached(now) or self._out_of_reach(now)

    def hit(self, after: Progress) -> bool:
        """Whether what the dead run left is what was aimed at."""
        if self._aimed is None:
            return not self._moment.aim or self._moment.aim == BEFORE_THE_FIRST_BATCH
        return AIMS[self._moment.aim](self._aimed, after)

    def _aim_reached(self, now: Progress) -> bool:
        if not self._moment.aim:
            return False
        if self._aimed is None:
            if now.score_done - self._began.score_done < self._moment.after_batches:
                return False
            # A first batch of this run must be under way: what lies there is of the last run.
            if self._moment.aim != BEFORE_THE_FIRST_BATCH and now == self._began:
                return False
            self._aimed = now
        return AIMS[self._moment.aim](self._aimed, now)

    def _out_of_reach(self, now: Progress) -> bool:
        if now == self._began:  # still starting
            return False
        idle = time.monotonic() - self._changed_at > _UNREACHED_AFTER_S
        passed = self._aimed is not None and (
            now.score_done - self._aimed.score_done >= _UNREACHED_AFTER_BATCHES
        )
        return idle or passed


def _plant_orphan(root: Path, now: Progress) -> None:
    """Leaves what a kill during the very first write to the offset log leaves."""
    if now.score_planned > NOTHING:
        raise JobError("a batch was logged before the first kill, so an orphan proves nothing")
    log = checkpoint(root, score_query.QUERY) / "offsets"
    log.mkdir(parents=True, exist_ok=True)
    (log / f".0.{uuid.uuid4()}.tmp").write_bytes(b"v1\n{")


def _end(job: JobProcess) -> None:
    code = job.wait(_RUN_LIMIT_S)
    if code:
        raise job.failure(f"ended with exit code {code}")


def _told(number: int, of: int, kill: Kill) -> str:
    missed = "" if kill.reached else ", missed"
    return (
        f"kill {number} of {of} after {kill.after_s:.1f} s, batch {kill.batch}, "
        f"{kill.in_flight} calls in flight: {kill.moment}{missed}"
    )
