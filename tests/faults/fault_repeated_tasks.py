"""Tasks that are tried again and tasks that are run twice, on a real standalone cluster."""

from __future__ import annotations

from collections import Counter

from streaming_eval.local.spark_cluster import SparkCluster
from tests.faults.checks import Checks
from tests.faults.compare import check_paid_once, check_scored_once
from tests.faults.killing import IDLE
from tests.faults.options import Options
from tests.faults.repeating_job import FAILS, LINGERS, attempts_at
from tests.faults.site import Place, Site
from tests.faults.topic import replayed, sample_ids

_BATCHES = 6
_LIMIT_S = 300.0
_PROGRAM = "tests.faults.repeating_job"


def repeated_tasks(site: Site, options: Options, checks: Checks) -> None:
    """Nothing changes, and no answer that has arrived is paid again.

    The copies begin when the first attempt has all its answers: one that begins earlier asks what
    is still open a second time, which is why the product runs without speculation.
    """
    samples = options.scaled(1_200)
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
    second: Counter[int] = Counter()
    for file in attempts_at(place.root).glob("*"):
        batch, _, attempt = map(int, file.name.split("-"))
        second[batch % 3] += attempt > 0
    checks.figure(
        f"second attempts that came to their end: {second[FAILS]} after a failure, "
        f"{second[LINGERS]} beside a first one that lingered"
    )
    checks.expect(second[FAILS] > 0, "no task was tried again")
    checks.expect(second[LINGERS] > 0, "no task was run twice")
