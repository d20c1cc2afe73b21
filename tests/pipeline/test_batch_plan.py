"""From the settings to when batches end and what becomes of samples that lack an answer."""

from __future__ import annotations

import pytest

from streaming_eval.inference.calls.batch_deadline import BatchLimits
from streaming_eval.inference.requeue import RequeueLimits
from streaming_eval.pipeline.batch_plan import batch_limits, sink_limits
from streaming_eval.pipeline.score_sink import SinkLimits
from tests.pipeline.fleet import settings

BATCHES = {
    "deadline": "90s",
    "straggler_after": "1500ms",
    "straggler_share": 0.25,
    "max_tries": 7,
    "first_pause": "2s",
    "longest_pause": "3m",
    "max_pending": 123,
}


ARRIVING_MS = 1_000
"""From the end of a call to its answer in the table."""


def endpoint(request_timeout: str) -> dict[str, str]:
    return {
        "base_url": "http://127.0.0.1/v1",
        "request_timeout": request_timeout,
        "deadline": "5m",
    }


def test_batches_end_as_the_settings_say() -> None:
    assert batch_limits(settings(batches=BATCHES)) == BatchLimits(90.0, 1.5, 0.25, 0.1, None)


@pytest.mark.parametrize(
    ("policy", "share"),
    [("read_write", 0.25), ("refresh", 0.25), ("off", 0.0), ("read_only", 0.0)],
)
def test_no_answer_is_left_behind_where_the_cache_would_not_keep_it(
    policy: str, share: float
) -> None:
    given = settings(batches=BATCHES, cache={"policy": policy})
    assert batch_limits(given).straggler_share == share


def test_samples_wait_as_the_settings_say_and_for_a_call_as_long_as_a_request_may_take() -> None:
    given = settings(
        batches=BATCHES,
        kafka={"max_records_per_trigger": 4_321},
        endpoints={
            "models": endpoint("50s"),
            "slow": endpoint("4m"),
            "quick": endpoint("31s"),
        },
    )
    assert sink_limits(given) == SinkLimits(
        records=4_321,
        pending=123,
        requeue=RequeueLimits(
            max_tries=7,
            first_pause_ms=2_000,
            longest_pause_ms=180_000,
            call_ms=240_000 + ARRIVING_MS,
        ),
    )


def test_where_nobody_is_asked_no_request_takes_any_time() -> None:
    given = settings(candidates=[], comparisons=[], endpoints={}, scorers=[{"kind": "contains"}])
    assert sink_limits(given).requeue.call_ms == ARRIVING_MS
