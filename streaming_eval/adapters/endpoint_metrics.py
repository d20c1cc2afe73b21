"""How endpoints answer, and how fast they may be asked, for Prometheus.

Workers count; their numbers reach the driver with the batch that they belong to. Quotas are the
driver's own and are read when scraped.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from streaming_eval.adapters.duration_bounds import DURATION_BOUNDS
from streaming_eval.adapters.metric_family import Family, Values
from streaming_eval.adapters.prometheus_text import PREFIX, MetricInfo
from streaming_eval.inference.calls.breaker import CircuitState
from streaming_eval.inference.quota.quotas import QuotaStatus

HEDGE_OUTCOMES = ("won", "lost")

_US_PER_S, _MS_PER_S = 1_000_000, 1_000
_OF_ENDPOINT = ("endpoint",)
_DURATION = Family(
    "request_duration_seconds",
    "Duration of HTTP requests to models, failed ones and those cut off included.",
    _OF_ENDPOINT,
)
_OPENINGS = Family(
    "circuit_openings",
    "Times that the closed circuit of a worker opened.",
    _OF_ENDPOINT,
)
_REFUSALS = Family(
    "circuit_refusals",
    "Model calls that ended unanswered, since the circuit did not close in time.",
    _OF_ENDPOINT,
)
_HEDGES = Family(
    "hedges",
    "Second HTTP requests beside late ones: won if they answered first, otherwise lost.",
    ("endpoint", "outcome"),
)
_SAVED_TOKENS = Family(
    "cache_saved_tokens",
    "Tokens of the calls that the cache made needless.",
    ("endpoint", "direction"),
)
_SAVED_SECONDS = Family(
    "cache_saved_seconds",
    "How long the calls took whose answers were used again from the cache.",
    _OF_ENDPOINT,
)
_IN_FLIGHT = Family(
    "requests_in_flight",
    "HTTP requests open at once in the last batch: the sum of its tasks' peaks.",
    _OF_ENDPOINT,
)
_IN_FLIGHT_LIMIT = Family(
    "requests_in_flight_limit",
    "Model calls that the tasks of the last batch allowed themselves at once when they ended, "
    "those that are stuck left out.",
    _OF_ENDPOINT,
)
_CIRCUIT = Family(
    "circuit_state",
    "State of the circuit breaker, the worst that a worker reported with the last batch: 1 for "
    "the state it is in, 0 for the others.",
    ("endpoint", "state"),
)
_QUOTA = Family(
    "quota_requests_per_minute",
    "Rate at which an endpoint may be called now, by all workers together.",
    _OF_ENDPOINT,
)
_QUOTA_LIMIT = Family(
    "quota_limit_requests_per_minute",
    "The same rate as configured, before refusals lower it.",
    _OF_ENDPOINT,
)
_QUOTA_RATIO = Family(
    "quota_ratio",
    "Share of the configured quota, requests and tokens, that is given out now.",
    _OF_ENDPOINT,
)
_WORST_FIRST = (CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED)
_PARTS = {
    _OPENINGS: 1, _REFUSALS: 1, _HEDGES: 1, _SAVED_TOKENS: 1, _SAVED_SECONDS: _MS_PER_S,
}  # fmt: skip


class EndpointMetrics(Collector):
    """What the driver knows of endpoints, by their configured names; methods are thread-safe.

    An endpoint is shown from its first report on.
    """

    def __init__(self) -> None:
        self._counting = threading.Lock()
        self._durations: Counter[tuple[str, str]] = Counter()
        self._microseconds: Counter[str] = Counter()
        self._totals: Counter[tuple[Family, tuple[str, ...]]] = Counter()
        self._states: dict[Family, Values] = {_IN_FLIGHT: {}, _IN_FLIGHT_LIMIT: {}, _CIRCUIT: {}}
        self._quotas: Callable[[], Mapping[str, QuotaStatus]] = dict

    def count_durations(self, endpoint: str, bound: str, n: int) -> None:
        """`n` HTTP requests fell under one of `DURATION_BOUNDS`."""
        with self._counting:
            self._durations[endpoint, bound] += n

    def count_duration_us(self, endpoint: str, microseconds: int) -> None:
        """Those requests together took so long."""
        with self._counting:
            self._microseconds[endpoint] += microseconds

    def count_openings(self, endpoint: str, n: int) -> None:
        """Closed circuits of workers opened."""
        self._count(_OPENINGS, (endpoint,), n)

    def count_refusals(self, endpoint: str, n: int) -> None:
        """Calls ended as `circuit_open`."""
        self._count(_REFUSALS, (endpoint,), n)

    def count_hedges(self, endpoint: str, outcome: str, n: int) -> None:
        """Second requests by one of `HEDGE_OUTCOMES`."""
        self._count(_HEDGES, (endpoint, outcome), n)

    def count_saved_tokens(self, endpoint: str, direction: str, n: int) -> None:
        """Hits and shared answers spared so many `input` or `output` tokens."""
        self._count(_SAVED_TOKENS, (endpoint, direction), n)

    def count_saved_ms(self, endpoint: str, milliseconds: int) -> None:
        """Hits were answers of calls that had taken so long."""
        self._count(_SAVED_SECONDS, (endpoint,), milliseconds)

    def observe_in_flight(self, peaks: Mapping[str, int]) -> None:
        """The sum of the tasks' peaks of each endpoint."""
        self._states[_IN_FLIGHT] = {(endpoint,): n for endpoint, n in peaks.items()}

    def observe_in_flight_limits(self, limits: Mapping[str, int]) -> None:
        """The sum of the tasks' limits of each endpoint."""
        self._states[_IN_FLIGHT_LIMIT] = {(endpoint,): n for endpoint, n in limits.items()}

    def observe_circuits(self, states: Mapping[str, Collection[CircuitState]]) -> None:
        """What the workers reported of each endpoint's circuit: one state or more."""
        self._states[_CIRCUIT] = {
            (endpoint, state.value): float(state is next(w for w in _WORST_FIRST if w in reported))
            for endpoint, reported in states.items()
            for state in CircuitState
        }

    def read_quotas(self, source: Callable[[], Mapping[str, QuotaStatus]]) -> None:
        """Asks `source`, with each scrape, how the endpoints that have a quota stand."""
        self._quotas = source

    def described(self) -> tuple[MetricInfo, ...]:
        """Every metric that this class can export."""
        gauges = (*self._states, _QUOTA, _QUOTA_LIMIT, _QUOTA_RATIO)
        return (
            _DURATION.described("histogram"),
            *(family.described("counter") for family in _PARTS),
            *(family.described("gauge") for family in gauges),
        )

    def collect(self) -> Iterator[Metric]:
        with self._counting:
            totals, durations = dict(self._totals), dict(self._durations)
            microseconds = dict(self._microseconds)
        yield _histogram(durations, microseconds)
        for family, parts in _PARTS.items():
            mine = {labels: n / parts for (of, labels), n in totals.items() if of is family}
            yield family.counter(mine)
        for family, values in (*self._states.items(), *_quota_values(self._quotas()).items()):
            yield family.gauge(values)

    def _count(self, family: Family, labels: tuple[str, ...], n: int) -> None:
        with self._counting:
            self._totals[family, labels] += n


def _histogram(
    durations: Mapping[tuple[str, str], int], microseconds: Mapping[str, int]
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(PREFIX + _DURATION.name, _DURATION.help, labels=_DURATION.labels)
    for endpoint in dict.fromkeys(endpoint for endpoint, _ in durations):
        counts = (durations.get((endpoint, bound), 0) for bound in DURATION_BOUNDS)
        buckets = list(zip(DURATION_BOUNDS, accumulate(counts), strict=True))
        family.add_metric((endpoint,), buckets, microseconds.get(endpoint, 0) / _US_PER_S)
    return family


def _quota_values(quotas: Mapping[str, QuotaStatus]) -> dict[Family, Values]:
    now = {(name,): q.requests_per_minute for name, q in quotas.items()}
    limits = {(name,): q.limit_per_minute for name, q in quotas.items()}
    return {
        _QUOTA: {name: rate for name, rate in now.items() if rate is not None},
        _QUOTA_LIMIT: {name: rate for name, rate in limits.items() if rate is not None},
        _QUOTA_RATIO: {(name,): q.share for name, q in quotas.items()},
    }
