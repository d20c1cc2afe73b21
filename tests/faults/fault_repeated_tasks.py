"""Tasks that are tried again and tasks that are run twice, on a real standalone cluster."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from streaming_eval.local.spark_cluster import SparkCluster
from tests.faults.checks import Checks
from tests.faults.compare import check_paid_once, check_scored_once
from tests.faults.killing import IDLE
from tests.faults.options import Options
from tests.faults.repeating_job import ASKS_SLOWLY, FAILS, LINGERS, attempts_at, begun_at
from tests.faults.site import Place, Site
from tests.faults.topic import replayed, sample_ids

_BATCHES = 6
_SAMPLES = 1_200  # so that one call at a time takes longer than until a copy begins
_LIMIT_S = 300.0
_PROGRAM = "tests.faults.repeating_job"


def repeated_tasks(site: Site, options: Options, checks: Checks) -> None:
    """Nothing changes, and no call is made twice, also where a copy begins among the calls."""
    samples = max(_SAMPLES, options.scaled(_SAMPLES))
    topic = site.topic("faults.repeated")
    records = replayed(samples, "r", seed=options.seed, step_ms=10, swap=False)
    site.produce(topic, records)
    with (
        SparkCluster(site.made("repeated") / "spark", apart=True) as cluster,
        site.endpoint("repeated", latency_ms=50.0) as endpoint,
    ):
        settings = {
            "spark.master": cluster.master,
            "kafka.max_records_per_trigger": max(1, samples // _BATCHES),
            "endpoints.recorded.max_in_flight": 32,
        }
        place = site.place("repeated", topic, endpoint, settings)
        with place.job(IDLE, program=_PROGRAM) as job:
            checks.equal("exit code", job.wait(_LIMIT_S), 0)
    _check_attempts(checks, place)
    check_scored_once(checks, place, sample_ids(records))
    check_paid_once(checks, place, in_flight=0)


def _check_attempts(checks: Checks, place: Place) -> None:
    """That there was trouble at all."""
    ended, begun = (_second(where(place.root)) for where in (attempts_at, begun_at))
    checks.figure(
        f"second attempts: {ended[FAILS]} after a failure, {ended[LINGERS]} beside a first one "
        f"that lingered, {begun[ASKS_SLOWLY]} begun beside a first one that was asking"
    )
    checks.expect(ended[FAILS] > 0, "no task was tried again")
    checks.expect(ended[LINGERS] > 0, "no task was run twice")
    checks.expect(begun[ASKS_SLOWLY] > 0, "no task was run twice while it asked")


def _second(directory: Path) -> Counter[int]:
    """Second attempts by what was the matter with the first."""
    counts: Counter[int] = Counter()
    for file in directory.glob("*"):
        batch, _, attempt = map(int, file.name.split("-"))
        counts[batch % 3] += attempt > 0
    return counts
