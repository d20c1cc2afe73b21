"""A second job on a storage root that is in use."""

from __future__ import annotations

import time

from tests.faults.checks import Checks
from tests.faults.compare import check_paid_once, check_scored_once
from tests.faults.killing import IDLE
from tests.faults.options import Options
from tests.faults.progress import NOTHING, progress
from tests.faults.site import Site
from tests.faults.topic import replayed, sample_ids
from tests.faults.waiting import wait_until

_SAMPLES = 1_000
_REFUSED_WITHIN_S = 10.0
_IN_FLIGHT = 16
_RUN_LIMIT_S = 300.0


def second_job(site: Site, options: Options, checks: Checks) -> None:
    """It is told so at once, in one sentence, and the first job takes no notice."""
    topic = site.topic("faults.second")
    records = replayed(_SAMPLES, "s", seed=options.seed, step_ms=10, swap=False)
    site.produce(topic, records)
    with site.endpoint("second", latency_ms=50.0) as endpoint:
        settings = {
            "kafka.max_records_per_trigger": 200,
            "endpoints.recorded.max_in_flight": _IN_FLIGHT,
        }
        place = site.place("second", topic, endpoint, settings)
        with place.job(IDLE) as first:
            wait_until(
                lambda: progress(place.root, endpoint).score_planned > NOTHING, first, _RUN_LIMIT_S
            )
            began = time.monotonic()
            with place.job() as second:
                code, took_s = second.wait(6 * _REFUSED_WITHIN_S), time.monotonic() - began
                said = second.output
            checks.expect(first.running, "the first job ended when the second was started")
            first_code = first.wait(_RUN_LIMIT_S)
    checks.figure(f"refused after {took_s:.1f} s")
    checks.equal("exit code of the second job", code, 1)
    checks.equal("exit code of the first job", first_code, 0)
    checks.expect(took_s <= _REFUSED_WITHIN_S, f"refused only after {took_s:.1f} s")
    sentences = [line for line in said.splitlines() if "in use by another" in line]
    checks.equal("sentences that say why", len(sentences), 1)
    checks.expect("Traceback" not in said, "the refusal has a traceback")
    check_scored_once(checks, place, sample_ids(records))
    check_paid_once(checks, place, in_flight=_IN_FLIGHT)
