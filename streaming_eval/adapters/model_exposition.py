"""A model's evidence over all its segments as Prometheus text: a few lines beside the series'."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from streaming_eval.adapters.metric_family import Family
from streaming_eval.adapters.prometheus_text import MetricInfo
from streaming_eval.alerting.model_evidence import by_model
from streaming_eval.snapshot import Snapshot, newest_decisions, newest_versions

_LABELS = ("model", "scorer", "against")
_EVIDENCE = Family(
    "model_regression_log_evidence",
    "Natural logarithm of the evidence that the model has become worse in any of its segments.",
    _LABELS,
)
_THRESHOLD = Family(
    "model_regression_log_threshold",
    "The log evidence at which the model counts as worse somewhere.",
    _LABELS,
)


class _Shown(Collector):
    """The two metrics of one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        decisions = newest_decisions(newest_versions(snapshot.estimates))
        self._found = by_model(decisions, snapshot.promises.alarmed_scorers)

    def collect(self) -> Iterator[Metric]:
        places = [(each.model, each.scorer, each.against) for each in self._found]
        evidence = [each.log_evidence for each in self._found]
        thresholds = [each.log_threshold for each in self._found]
        yield _EVIDENCE.gauge(dict(zip(places, evidence, strict=True)))
        yield _THRESHOLD.gauge(dict(zip(places, thresholds, strict=True)))


def model_metrics() -> list[MetricInfo]:
    """All metrics that `render_models` can write."""
    return [_EVIDENCE.described("gauge"), _THRESHOLD.described("gauge")]


def render_models(snapshot: Snapshot) -> bytes:
    """Evidence and threshold of every model with a scorer that may raise an alarm."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Shown(snapshot))
    return generate_latest(registry)
