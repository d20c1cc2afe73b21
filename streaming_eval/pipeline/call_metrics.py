"""What the tasks of a batch counted, as metrics."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable

import pyarrow as pa

from streaming_eval.adapters.prometheus import PipelineMetrics
from streaming_eval.inference.calls.breaker import CircuitState


def observe_calls(metrics: PipelineMetrics, calls: pa.Table) -> None:
    """Adds up the counts of a batch, and shows the states that its tasks ended in.

    Args:
        metrics: of the driver.
        calls: rows of `TALLY` of all tasks.
    """
    count = _counters(metrics)
    states: defaultdict[str, Counter[str]] = defaultdict(Counter)
    circuits: defaultdict[str, set[CircuitState]] = defaultdict(set)
    for row in calls.to_pylist():
        metric, endpoint, label, n = row["metric"], row["endpoint"], row["label"], row["n"]
        if metric in count:
            count[metric](endpoint, label, n)
        elif metric == "circuit_state":
            circuits[endpoint].add(CircuitState(label))
        else:
            states[metric][endpoint] += n
    if circuits:  # a batch without records went to no worker, who could have said something
        metrics.endpoints.observe_circuits(circuits)
        metrics.endpoints.observe_in_flight(states["requests_in_flight"])
        metrics.endpoints.observe_in_flight_limits(states["in_flight_limit"])


def _counters(metrics: PipelineMetrics) -> dict[str, Callable[[str, str, int], None]]:
    """What takes the endpoint, the label and the count of a row, by its metric."""
    endpoints = metrics.endpoints
    return {
        "requests": metrics.count_requests,
        "tokens": lambda _, label, n: metrics.count_tokens(label, n),
        "cache_lookups": lambda _, label, n: metrics.count_cache_lookups(label, n),
        "samples": lambda _, label, n: metrics.count_samples(label, n),
        "retries": lambda _, label, n: metrics.count_retries(label, n),
        "durations": endpoints.count_durations,
        "microseconds": lambda endpoint, _, n: endpoints.count_duration_us(endpoint, n),
        "circuit_openings": lambda endpoint, _, n: endpoints.count_openings(endpoint, n),
        "circuit_refusals": lambda endpoint, _, n: endpoints.count_refusals(endpoint, n),
        "hedges": endpoints.count_hedges,
        "tokens_saved": endpoints.count_saved_tokens,
        "milliseconds_saved": lambda endpoint, _, n: endpoints.count_saved_ms(endpoint, n),
    }
