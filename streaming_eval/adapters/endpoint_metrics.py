"""How endpoints answer, and how fast they may be asked, for Prometheus.

Workers count; their numbers reach the driver with the batch that they belong to.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from streaming_eval.adapters.exposition import PREFIX, MetricInfo
from streaming_eval.adapters.metric_family import Family, Values
from streaming_eval.inference.calls.breaker import CircuitState

DURATION_BOUNDS = (
    "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "30.0", "60.0", "+Inf",
)  # fmt: skip
"""Upper ends of the duration histogram in seconds, as workers count by them."""

_DURATION = Family(
    "request_duration_seconds", "Duration of HTTP requests to models.", ("endpoint",)
)
_IN_FLIGHT = Family(
    "requests_in_flight",
    "Model calls open at once in the last batch: the sum of its tasks' peaks.",
    ("endpoint",),
)
_QUOTA = Family(
    "quota_requests_per_minute",
    "Rate at which an endpoint may be called now, by all workers together.",
    ("endpoint",),
)
_CIRCUIT = Family(
    "circuit_state",
    "State of the circuit breaker, the worst that a worker reported with the last batch: 1 for "
    "the state it is in, 0 for the others.",
    ("endpoint", "state"),
)
_WORST_FIRST = (CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED)


def duration_bound(seconds: float) -> str:
    """The bound that a duration is counted under.

    >>> duration_bound(0.25), duration_bound(0.26), duration_bound(3_600.0)
    ('0.25', '0.5', '+Inf')
    """
    return next(bound for bound in DURATION_BOUNDS if seconds <= float(bound))


class EndpointMetrics(Collector):
    """What the driver knows of endpoints, by their configured names; methods are thread-safe.

    An endpoint is shown from its first report on.
    """

    def __init__(self) -> None:
        self._counting = threading.Lock()
        self._durations: Counter[tuple[str, str]] = Counter()
        self._milliseconds: Counter[str] = Counter()
        self._states: dict[Family, Values] = {_IN_FLIGHT: {}, _QUOTA: {}, _CIRCUIT: {}}

    def count_durations(self, endpoint: str, bound: str, n: int) -> None:
        """`n` HTTP requests fell under one of `DURATION_BOUNDS`."""
        with self._counting:
            self._durations[endpoint, bound] += n

    def count_duration_ms(self, endpoint: str, milliseconds: int) -> None:
        """Those requests together took so long."""
        with self._counting:
            self._milliseconds[endpoint] += milliseconds

    def observe_in_flight(self, peaks: Mapping[str, int]) -> None:
        """The sum of the tasks' peaks of each endpoint."""
        self._states[_IN_FLIGHT] = {(endpoint,): n for endpoint, n in peaks.items()}

    def observe_quotas(self, per_minute: Mapping[str, float]) -> None:
        """The rate at which each endpoint may be called now."""
        self._states[_QUOTA] = {(endpoint,): rate for endpoint, rate in per_minute.items()}

    def observe_circuits(self, states: Mapping[str, Collection[CircuitState]]) -> None:
        """What the workers reported of each endpoint's circuit: one state or more."""
        self._states[_CIRCUIT] = {
            (endpoint, state.value): float(state is next(w for w in _WORST_FIRST if w in reported))
            for endpoint, reported in states.items()
            for state in CircuitState
        }

    def described(self) -> tuple[MetricInfo, ...]:
        """Every metric that this class can export."""
        gauges = [family.described("gauge") for family in self._states]
        return (_DURATION.described("histogram"), *gauges)

    def collect(self) -> Iterator[Metric]:
        with self._counting:
            durations, milliseconds = dict(self._durations), dict(self._milliseconds)
        histogram = HistogramMetricFamily(
            PREFIX + _DURATION.name, _DURATION.help, labels=_DURATION.labels
        )
        for endpoint in dict.fromkeys(endpoint for endpoint, _ in durations):
            counts = (durations.get((endpoint, bound), 0) for bound in DURATION_BOUNDS)
            buckets = list(zip(DURATION_BOUNDS, accumulate(counts), strict=True))
            histogram.add_metric((endpoint,), buckets, milliseconds.get(endpoint, 0) / 1_000)
        yield histogram
        for family, values in self._states.items():
            yield family.gauge(values)
