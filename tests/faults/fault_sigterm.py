"""SIGTERM in the middle of a batch, of each query once, then a run to the end."""

from __future__ import annotations

from collections.abc import Callable

from streaming_eval.local.endpoint_process import RecordedEndpoint
from tests.faults.checks import Checks
from tests.faults.compare import check_paid_once, check_scored_once
from tests.faults.killing import run_undisturbed
from tests.faults.options import Options
from tests.faults.progress import Progress, progress
from tests.faults.site import Place, Site
from tests.faults.topic import replayed, sample_ids
from tests.faults.waiting import wait_until

_SAMPLES = 3_000
_IN_FLIGHT = 32
_RUN_LIMIT_S = 300.0
_STOP_LIMIT_S = 90.0


def sigterm(site: Site, options: Options, checks: Checks) -> None:
    """The batch under way is committed, nothing is paid twice, and the next run goes on from it."""
    topic = site.topic("faults.sigterm")
    records = replayed(_SAMPLES, "t", seed=options.seed, step_ms=10, swap=False)
    site.produce(topic, records)
    with site.endpoint("sigterm", latency_ms=75.0) as endpoint:
        settings = {
            "kafka.max_records_per_trigger": 300,
            "endpoints.recorded.max_in_flight": _IN_FLIGHT,
        }
        place = site.place("sigterm", topic, endpoint, settings)
        _stop(checks, place, endpoint, "calls in flight", lambda now: now.in_flight > 0)
        _stop(checks, place, endpoint, "monitor at work", lambda now: now.monitoring)
        run_undisturbed(place)
    check_scored_once(checks, place, sample_ids(records))
    check_paid_once(checks, place, in_flight=_IN_FLIGHT)


def _stop(
    checks: Checks,
    place: Place,
    endpoint: RecordedEndpoint,
    what: str,
    here: Callable[[Progress], bool],
) -> None:
    began = progress(place.root, endpoint)
    with place.job() as job:

        def reached() -> bool:
            now = progress(place.root, endpoint)
            return now.score_done > began.score_done and here(now)

        wait_until(reached, job, _RUN_LIMIT_S)
        before_s = job.age_s
        job.terminate()
        code = job.wait(_STOP_LIMIT_S)
        checks.figure(f"ended {job.age_s - before_s:.1f} s after SIGTERM with {what}")
        checks.equal(f"exit code after SIGTERM with {what}", code, 0)
        for word in ("Traceback", "Exception", "Error"):
            lines = [line for line in job.output.splitlines() if word in line]
            checks.equal(f"lines with {word} after SIGTERM with {what}", lines, [])
