"""Python workers that run out of memory."""

from __future__ import annotations

from tests.faults.checks import Checks
from tests.faults.compare import check_none_failed, check_paid_once, check_scored_once
from tests.faults.killing import IDLE
from tests.faults.options import Options
from tests.faults.site import Site
from tests.faults.starving_job import starved_at
from tests.faults.topic import replayed, sample_ids

_BATCHES = 6
_IN_FLIGHT = 32
_LIMIT_S = 300.0
_PROGRAM = "tests.faults.starving_job"


def memory(site: Site, options: Options, checks: Checks) -> None:
    """A worker that lacks memory ends, and its task is tried again; no query stops."""
    samples = options.scaled(1_200)
    topic = site.topic("faults.memory")
    records = replayed(samples, "m", seed=options.seed, step_ms=10, swap=False)
    site.produce(topic, records)
    with site.endpoint("memory", latency_ms=100.0) as endpoint:
        settings = {
            "spark.partitions": 2,
            "spark.worker_silence": "10s",
            "kafka.max_records_per_trigger": max(1, samples // _BATCHES),
            "endpoints.recorded.max_in_flight": _IN_FLIGHT,
        }
        place = site.place("memory", topic, endpoint, settings)
        with place.job(IDLE, program=_PROGRAM) as job:
            checks.equal("exit code", job.wait(_LIMIT_S), 0)
            crashes = job.output.count("MemoryError")
    marks = list(starved_at(place.root).iterdir())
    starved = sorted(int(mark.name) for mark in marks)
    checks.figure(f"workers without memory in batches {starved}; MemoryError said {crashes} times")
    checks.expect(len(starved) >= _BATCHES, f"only {len(starved)} batches met the limit")
    check_scored_once(checks, place, sample_ids(records))
    check_none_failed(checks, place)
    check_paid_once(
        checks, place, in_flight=_IN_FLIGHT, kills_ns=sorted(int(m.read_text()) for m in marks)
    )
