"""From what tasks counted to what a scrape shows."""

from __future__ import annotations

import pyarrow as pa
import pytest

from streaming_eval.adapters.call_tally import TALLY, CallTally
from streaming_eval.adapters.prometheus import PipelineMetrics
from streaming_eval.inference.calls.breaker import CircuitState
from streaming_eval.pipeline.call_metrics import observe_calls
from tests.pipeline.test_observers import value

Counted = tuple[str, str, str, int]
COUNTERS = [
    ("requests", "ok", "requests_total", {"endpoint": "models", "outcome": "ok"}),
    ("tokens", "input", "tokens_total", {"direction": "input"}),
    ("cache_lookups", "stale", "cache_lookups_total", {"result": "stale"}),
    ("samples", "unscored", "samples_total", {"outcome": "unscored"}),
    ("retries", "http_429", "retries_total", {"reason": "http_429"}),
    ("circuit_openings", "", "circuit_openings_total", {"endpoint": "models"}),
    ("circuit_refusals", "", "circuit_refusals_total", {"endpoint": "models"}),
    ("hedges", "won", "hedges_total", {"endpoint": "models", "outcome": "won"}),
    ("tokens_saved", "output", "cache_saved_tokens_total",
     {"endpoint": "models", "direction": "output"}),
]  # fmt: skip


def task(*counted: Counted, state: CircuitState = CircuitState.CLOSED, limit: int = 8) -> pa.Table:
    """What one task returns, having counted this."""
    tally = CallTally()
    for metric, endpoint, label, n in counted:
        tally.add(metric, endpoint, label, n)
    tally.add("circuit_state", "models", state.value)
    tally.add("in_flight_limit", "models", "", limit)
    tally.add("requests_in_flight", "models", "", 0)
    return tally.table()


def observed(*batches: list[pa.Table]) -> PipelineMetrics:
    metrics = PipelineMetrics()
    for tasks in batches:
        observe_calls(metrics, pa.concat_tables(tasks) if tasks else TALLY.empty_table())
    return metrics


@pytest.mark.parametrize(("metric", "label", "name", "labels"), COUNTERS)
def test_the_counts_of_all_tasks_and_batches_add_up(
    metric: str, label: str, name: str, labels: dict[str, str]
) -> None:
    two = [task((metric, "models", label, 3)), task((metric, "models", label, 4))]
    assert value(observed(two, [task((metric, "models", label, 5))]), name, **labels) == 12


def test_times_add_up_in_seconds() -> None:
    rows = [("durations", "models", "0.5", 2), ("microseconds", "models", "", 600_000)]
    saved = ("milliseconds_saved", "models", "", 2_500)
    metrics = observed([task(*rows, saved), task(*rows)])
    page = metrics.render("")[0].decode()
    assert 'request_duration_seconds_bucket{endpoint="models",le="0.25"} 0.0' in page
    assert 'request_duration_seconds_bucket{endpoint="models",le="0.5"} 4.0' in page
    assert 'request_duration_seconds_sum{endpoint="models"} 1.2' in page
    assert value(metrics, "cache_saved_seconds_total", endpoint="models") == 2.5


def test_the_worst_circuit_of_the_last_batch_is_shown() -> None:
    def shown(*batches: list[CircuitState]) -> list[str]:
        metrics = observed(*([task(state=state) for state in states] for states in batches))
        return [
            state
            for state in CircuitState
            if value(metrics, "circuit_state", endpoint="models", state=state)
        ]

    closed, half, opened = CircuitState.CLOSED, CircuitState.HALF_OPEN, CircuitState.OPEN
    assert shown([closed, opened, half]) == [opened]
    assert shown([closed, half]) == [half]
    assert shown([opened], [closed, closed]) == [closed]
    assert shown([opened], []) == [opened], "nobody had anything to say in a batch without records"


def test_what_was_in_flight_is_summed_over_the_tasks_of_the_last_batch() -> None:
    def busy(n: int, limit: int) -> pa.Table:
        return task(("requests_in_flight", "models", "", n), limit=limit)

    metrics = observed([busy(5, 8), busy(7, 8)], [busy(2, 8), busy(1, 4)], [])
    assert value(metrics, "requests_in_flight", endpoint="models") == 3
    assert value(metrics, "requests_in_flight_limit", endpoint="models") == 12
