"""A snapshot as Prometheus text: the quality metrics, their names, labels and help.

Written here and not through the client library's collectors because a full house (2,000 series,
50,000 lines) takes the library seconds per scrape and this a small part of one. Only gauges are
written, and their lines are the same in the plain and the OpenMetrics format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from streaming_eval.adapters.prometheus_text import PREFIX, MetricInfo, escaped, head, number
from streaming_eval.alerting.verdict import DriftState, MonitorState
from streaming_eval.records import SeriesKey
from streaming_eval.snapshot import EstimateView, Snapshot, newest_decisions, newest_versions
from streaming_eval.stats.attribution import Culprit

SERIES_LABELS = ("model", "segment", "scorer", "against")


@dataclass(frozen=True, slots=True)
class _Gauge:
    """A metric read off an estimate; no line is written where it is None.

    Attributes:
        paired: False for what comparisons lack: their mean difference is an effect, not a score.
    """

    name: str
    help: str
    read: Callable[[EstimateView], float | None]
    paired: bool = True

    def described(self, *more_labels: str) -> MetricInfo:
        labels = SERIES_LABELS if self.paired else SERIES_LABELS[:-1]
        return MetricInfo(PREFIX + self.name, "gauge", (*labels, *more_labels), self.help)


def _lower(view: EstimateView) -> float | None:
    return view.lower if view.has_mean else None


def _upper(view: EstimateView) -> float | None:
    return view.upper if view.has_mean else None


_PER_WINDOW = (
    _Gauge("score_mean", "Mean score, on the scorer's own scale.", lambda v: v.mean, paired=False),
    _Gauge("score_lower", "Lower limit of the mean score.", _lower, paired=False),
    _Gauge("score_upper", "Upper limit of the mean score.", _upper, paired=False),
    _Gauge("score_samples", "Scores in the window.", lambda v: v.n),
    _Gauge(
        "score_missing",
        "Scores of the window without a value.",
        lambda v: v.missing,
    ),
    _Gauge(
        "effect",
        "Mean score minus the baseline's, or, with the label against, minus the other model's "
        "on the same samples; on the scorer's own scale.",
        lambda v: v.effect,
    ),
    _Gauge("effect_lower", "Lower limit of the effect.", lambda v: v.effect_lower),
    _Gauge("effect_upper", "Upper limit of the effect.", lambda v: v.effect_upper),
)
_PER_SERIES = (
    _Gauge("baseline_mean", "What the mean is compared with.", lambda v: v.baseline_mean),
    _Gauge(
        "baseline_missing_samples",
        "Scores that the baseline lacks before anything is compared with it.",
        lambda v: v.baseline_missing,
    ),
    _Gauge(
        "regression_log_evidence",
        "Natural logarithm of the evidence that the mean has fallen below the baseline by more "
        "than the smallest effect of interest.",
        lambda v: v.log_evidence,
    ),
    _Gauge(
        "regression_log_threshold",
        "The log evidence at which the series counts as regressed.",
        lambda v: v.log_threshold,
    ),
    _Gauge(
        "drift_log_evidence",
        "Natural logarithm of the evidence that the distribution of scores has moved.",
        lambda v: v.drift_log_evidence,
        paired=False,
    ),
    _Gauge(
        "drift_log_threshold",
        "The log evidence at which the distribution counts as drifted.",
        lambda v: v.drift_log_threshold,
        paired=False,
    ),
    _Gauge(
        "estimate_timestamp_seconds",
        "When the series was last estimated.",
        lambda v: v.updated_ms / 1_000,
    ),
)
_QUANTILES = (
    ("score_quantile", "Quantile of the scores of a quantity, on its own scale.", "value"),
    ("score_quantile_lower", "Lower limit of the quantile.", "lower"),
    (
        "score_quantile_upper",
        "Upper limit of the quantile; absent while none can be said.",
        "upper",
    ),
)
_STATE = MetricInfo(
    f"{PREFIX}monitor_state",
    "gauge",
    (*SERIES_LABELS, "state"),
    "The decision on the series: 1 for the state it is in, 0 for the others.",
)
_DRIFT_STATE = MetricInfo(
    f"{PREFIX}drift_state",
    "gauge",
    (*SERIES_LABELS[:-1], "state"),
    "The decision on the distribution: 1 for the state it is in, 0 for the others.",
)
_CULPRIT = MetricInfo(
    f"{PREFIX}alert_culprit",
    "gauge",
    (*SERIES_LABELS, "kind", "culprit"),
    "What an open alert on scores of a judge with anchors is put down to: 1 for the verdict, "
    "0 for the others.",
)
_INFO = MetricInfo(
    f"{PREFIX}series_info",
    "gauge",
    (*SERIES_LABELS, "evaluation_version"),
    "Always 1; names the evaluation version whose scores the series shows.",
)
_ALPHA = MetricInfo(
    f"{PREFIX}alpha", "gauge", (), "Chance that an interval ever misses the true mean."
)
_BUDGET = MetricInfo(
    f"{PREFIX}false_alarm_budget_seconds",
    "gauge",
    (),
    "Promised mean time between false alarms of all series together.",
)
_SERIES = MetricInfo(f"{PREFIX}series", "gauge", (), "Series that are alive.")


def quality_metrics() -> list[MetricInfo]:
    """All metrics that `render` can write."""
    return [
        *(gauge.described("window") for gauge in _PER_WINDOW),
        *(
            MetricInfo(PREFIX + name, "gauge", (*SERIES_LABELS[:-1], "window", "percentile"), text)
            for name, text, _ in _QUANTILES
        ),
        *(gauge.described() for gauge in _PER_SERIES),
        *(_STATE, _DRIFT_STATE, _CULPRIT, _INFO, _ALPHA, _BUDGET, _SERIES),
    ]


def render(snapshot: Snapshot) -> bytes:
    """All quality metrics of `snapshot`; a series that is not in it is not written."""
    views = newest_versions(snapshot.estimates)
    decisions = newest_decisions(views)
    # A lone surrogate in a configured name must not cost the whole scrape.
    return "".join(_lines(snapshot, views, decisions)).encode("utf-8", "replace")


def _lines(
    snapshot: Snapshot, views: Sequence[EstimateView], decisions: Sequence[EstimateView]
) -> Iterator[str]:
    windowed = [f'{_labels(v.key)},window="{escaped(v.window)}"' for v in views]
    for gauge in _PER_WINDOW:
        yield from _gauge(gauge, views, windowed)
    yield from _quantiles(views, windowed)
    labels = [_labels(v.key) for v in decisions]
    for gauge in _PER_SERIES:
        yield from _gauge(gauge, decisions, labels)
    judged = [(text, v.state) for text, v in zip(labels, decisions, strict=True) if v.has_mean]
    yield from _states(_STATE, MonitorState, judged)
    watched = [(text, v.drift_state) for text, v in zip(labels, decisions, strict=True)]
    yield from _states(_DRIFT_STATE, DriftState, (pair for pair in watched if pair[1]))
    yield from _culprits(snapshot, decisions)
    yield head(_INFO.name, _INFO.help)
    for view, text in zip(decisions, labels, strict=True):
        version = escaped(view.key.evaluation_version)
        yield f'{_INFO.name}{{{text},evaluation_version="{version}"}} 1.0\n'
    yield _single(_ALPHA, snapshot.promises.alpha)
    yield _single(_BUDGET, snapshot.promises.seconds_per_false_alarm)
    yield _single(_SERIES, len(decisions))


def _gauge(gauge: _Gauge, views: Iterable[EstimateView], labels: Iterable[str]) -> Iterator[str]:
    name = PREFIX + gauge.name
    yield head(name, gauge.help)
    for view, text in zip(views, labels, strict=True):
        value = gauge.read(view) if gauge.paired or not view.key.against else None
        if value is not None:
            yield f"{name}{{{text}}} {number(value)}\n"


def _quantiles(views: Sequence[EstimateView], labels: Sequence[str]) -> Iterator[str]:
    shown = [pair for pair in zip(views, labels, strict=True) if pair[0].quantiles]
    for name, text, field in _QUANTILES:
        yield head(PREFIX + name, text)
        for view, labelled in shown:
            for quantile in view.quantiles:
                value: float | None = getattr(quantile, field)
                if value is not None:
                    of_one = f'{labelled},percentile="{100 * quantile.p:g}"'
                    yield f"{PREFIX}{name}{{{of_one}}} {number(value)}\n"


def _states(
    metric: MetricInfo, states: Iterable[str], series: Iterable[tuple[str, str | None]]
) -> Iterator[str]:
    """One line per series, given as (labels, state), and state."""
    names = tuple(states)
    yield head(metric.name, metric.help)
    for text, now in series:
        for name in names:
            yield f'{metric.name}{{{text},state="{name}"}} {float(now == name)}\n'


def _culprits(snapshot: Snapshot, shown: Iterable[EstimateView]) -> Iterator[str]:
    keys = {view.key for view in shown}
    yield head(_CULPRIT.name, _CULPRIT.help)
    for said in snapshot.culprits:
        text = f'{_labels(said.key)},kind="{escaped(said.kind)}"'
        for name in Culprit if said.key in keys else ():
            yield f'{_CULPRIT.name}{{{text},culprit="{name}"}} {float(said.culprit == name)}\n'


def _single(metric: MetricInfo, value: float) -> str:
    return f"{head(metric.name, metric.help)}{metric.name} {number(value)}\n"


def _labels(key: SeriesKey) -> str:
    values = (key.model, key.segment, key.scorer, key.against)
    pairs = zip(SERIES_LABELS, values, strict=True)
    return ",".join(f'{label}="{escaped(value)}"' for label, value in pairs if value)
