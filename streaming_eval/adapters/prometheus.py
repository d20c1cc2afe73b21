"""What the driver counts, in Prometheus' own client library, and its text formats.

The quality metrics are not here: they are read from a snapshot (see `exposition`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder

from streaming_eval.adapters.endpoint_metrics import EndpointMetrics
from streaming_eval.adapters.prometheus_text import PREFIX, MetricInfo
from streaming_eval.adapters.spending_metrics import SpendingMetrics
from streaming_eval.records import ScoreStatus

OUTCOMES = ("scored", "unscored", "duplicate", "dead_letter", "requeued")
DIRECTIONS = ("input", "output")
LOOKUP_RESULTS = ("hit", "miss", "stale")
_BATCH_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class PipelineMetrics:
    """Counters and gauges of the pipeline; every method may be called from any thread.

    Label values must come from bounded sets: reasons, outcomes, configured names. Counters begin
    at zero with each process, as Prometheus expects. Label values that are known beforehand are
    there from the start, so that the first dead letter is an increase.

    Args:
        currency: of the price table, ISO 4217.

    Attributes:
        spending: what calls cost and what is left of the budgets.
        endpoints: what is known of endpoints beyond the calls.
    """

    def __init__(self, currency: str = "USD") -> None:
        # The library's switch is process-wide; nothing else in a driver uses the library.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._described: list[MetricInfo] = []
        self._samples = self._counter("samples", "Samples by what became of them.", "outcome")
        self._missing = self._counter(
            "scores_missing", "Scores without a value, by why there is none.", "status"
        )
        self._dead_letters = self._counter(
            "dead_letters", "Records that cannot be samples, by reason.", "reason"
        )
        self._clipped = self._counter(
            "clipped_weights",
            "Scores whose weight is larger than monitor.max_weight and that count as that much.",
        )
        self._late = self._counter(
            "late_samples", "Scores that came after their pane was closed and count in no window."
        )
        self._requests = self._counter(
            "requests",
            "Model calls that were made, by endpoint and outcome.",
            "endpoint",
            "outcome",
        )
        self._tokens = self._counter("tokens", "Tokens of paid model calls.", "direction")
        self._lookups = self._counter("cache_lookups", "Cache look-ups by result.", "result")
        self._retries = self._counter("retries", "Repeated HTTP requests by reason.", "reason")
        self._make_gauges()
        self._start_at_zero()
        self.spending = SpendingMetrics(currency)
        self._registry.register(self.spending)
        self._described += self.spending.described()
        self.endpoints = EndpointMetrics()
        self._registry.register(self.endpoints)

    def _make_gauges(self) -> None:
        name, text = "batch_duration_seconds", "Duration of committed micro-batches."
        self._describe(name, "histogram", text, ("query",))
        self._batch_seconds = Histogram(
            PREFIX + name, text, ["query"], buckets=_BATCH_SECONDS, registry=self._registry
        )
        self._last_batch = self._gauge(
            "last_batch_timestamp_seconds", "When a micro-batch last committed.", "query"
        )
        self._last_score = self._gauge(
            "last_score_timestamp_seconds", "When scores were last committed; 0 means never."
        )
        self._event_lag = self._gauge(
            "event_time_lag_seconds",
            "Age of the newest sample of the last batch when that batch committed.",
            "query",
        )
        self._kafka_lag = self._gauge(
            "kafka_lag_records",
            "Records in the topic that are not scored yet.",
            "topic",
            "partition",
        )
        self._pending = self._gauge(
            "pending_samples", "Samples that wait for an answer, to be tried in a later batch."
        )
        self._state_bytes = self._gauge(
            "state_bytes", "Size of the largest state of a series in the monitor's last batch."
        )
        self._partitions: set[tuple[str, str]] = set()
        self._repartitioning = threading.Lock()
        text = "Version of the evaluator."
        self._describe("build_info", "gauge", text, ("version",))
        Info(f"{PREFIX}build", text, registry=self._registry).info({"version": _version()})

    def _start_at_zero(self) -> None:
        for outcome in OUTCOMES:
            self._samples.labels(outcome)
        for status in (ScoreStatus.FAILED, ScoreStatus.UNPARSABLE):
            self._missing.labels(status.value)
        for direction in DIRECTIONS:
            self._tokens.labels(direction)
        for result in LOOKUP_RESULTS:
            self._lookups.labels(result)

    def count_samples(self, outcome: str, n: int) -> None:
        """`n` samples left the score query as one of `OUTCOMES`."""
        self._samples.labels(outcome).inc(n)

    def count_missing_scores(self, status: ScoreStatus, n: int) -> None:
        self._missing.labels(status.value).inc(n)

    def count_dead_letters(self, reason: str, n: int) -> None:
        self._dead_letters.labels(reason).inc(n)

    def count_clipped_weights(self, n: int) -> None:
        self._clipped.inc(n)

    def count_late_samples(self, n: int) -> None:
        self._late.inc(n)

    def count_requests(self, endpoint: str, outcome: str, n: int) -> None:
        """`n` calls of the endpoint of that configured name ended in `ok` or an error's reason."""
        self._requests.labels(endpoint, outcome).inc(n)

    def count_tokens(self, direction: str, n: int) -> None:
        self._tokens.labels(direction).inc(n)

    def count_cache_lookups(self, result: str, n: int) -> None:
        self._lookups.labels(result).inc(n)

    def count_retries(self, reason: str, n: int) -> None:
        self._retries.labels(reason).inc(n)

    def observe_batch(self, query: str, seconds: float, at_s: float) -> None:
        """A micro-batch of `query` took `seconds` and committed at `at_s`, epoch seconds."""
        self._batch_seconds.labels(query).observe(seconds)
        self._last_batch.labels(query).set(at_s)

    def observe_scores(self, at_s: float) -> None:
        """Scores were committed at `at_s`; after a restart, when the newest were."""
        self._last_score.set(at_s)

    def observe_event_time_lag(self, query: str, seconds: float) -> None:
        self._event_lag.labels(query).set(seconds)

    def observe_pending(self, n: int) -> None:
        self._pending.set(n)

    def observe_state_bytes(self, n: int) -> None:
        self._state_bytes.set(n)

    def observe_kafka_lag(self, lag: Mapping[tuple[str, int], int]) -> None:
        """Records not scored yet by (topic, partition); a partition that is left out vanishes."""
        now = {(topic, str(partition)): n for (topic, partition), n in lag.items()}
        with self._repartitioning:
            for labels, n in now.items():
                self._kafka_lag.labels(*labels).set(n)
            for gone in self._partitions - now.keys():
                self._kafka_lag.remove(*gone)
            self._partitions = set(now)

    def render(self, accept: str) -> tuple[bytes, str]:
        """The text for a scraper that sent this Accept header, and its content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def described(self) -> tuple[MetricInfo, ...]:
        """Every metric that this class can export."""
        return (*self._described, *self.endpoints.described())

    def values(self) -> Iterator[tuple[str, Mapping[str, str], float]]:
        """Name, labels and value of everything but histograms, for the status page."""
        for family in self._registry.collect():
            if family.type in ("counter", "gauge"):
                for sample in family.samples:
                    yield sample.name, sample.labels, sample.value

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        self._describe(f"{name}_total", "counter", text, labels)
        return Counter(PREFIX + name, text, labels, registry=self._registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        self._describe(name, "gauge", text, labels)
        return Gauge(PREFIX + name, text, labels, registry=self._registry)

    def _describe(self, name: str, kind: str, text: str, labels: tuple[str, ...]) -> None:
        self._described.append(MetricInfo(PREFIX + name, kind, labels, text))


def _version() -> str:
    try:
        return version("streaming-eval")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "unknown"
