"""What the monitor knows at one moment, as people and Prometheus see it: one immutable value.

The driver builds a new snapshot after each batch and swaps it in; readers never see half of one,
and a series that is no longer in it has vanished everywhere at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from streaming_eval.records import SeriesKey


@dataclass(frozen=True, slots=True)
class QuantileView:
    """One quantile with the limits of its confidence sequence, on the scorer's own scale.

    Attributes:
        p: share of values below it.
        upper: None while no finite limit can be said.
    """

    p: float
    value: float
    lower: float
    upper: float | None


@dataclass(frozen=True, slots=True)
class EstimateView:
    """One series in one window: the estimate for people beside the decision for pagers.

    Attributes:
        window: its name as a label: a duration (`1h`), `sliding` with a duration (`sliding 1d`),
            or `baseline` for "since the baseline".
        n: scores in the window.
        mean: on the scorer's own scale; None while n is 0. Of a paired series: the mean difference.
        lower: of the confidence sequence for the mean, same scale.
        upper: likewise.
        baseline_mean: the frozen comparator on the same scale; None until there is one.
        effect: how far the mean lies from what it is compared with, own scale. An own
            series is compared with its baseline, a paired one with the other model.
        effect_lower: of the interval for the effect.
        effect_upper: likewise.
        log_evidence: natural logarithm of the alarm's statistic; the same in all windows.
        log_threshold: the evidence at which the series counts as regressed.
        state: value of a `MonitorState`; the same in all windows.
        missing: scores of the window without a value (failed or unparsable).
        baseline_missing: scores that the baseline lacks to be compared with; 0 once there are
            enough, and of a constant. None where an earlier version computed the estimate.
        updated_ms: when this was computed, epoch milliseconds.
        drift_log_evidence: of the distribution's alarm; None where no distribution is watched.
        drift_log_threshold: the evidence at which the distribution counts as drifted.
        drift_state: value of a `DriftState`.
        drift_cells: where the distribution has moved, in words, strongest first.
        quantiles: of a quantity such as a latency.
    """

    key: SeriesKey
    window: str
    n: int
    mean: float | None
    lower: float
    upper: float
    baseline_mean: float | None
    effect: float | None
    effect_lower: float | None
    effect_upper: float | None
    log_evidence: float
    log_threshold: float
    state: str
    missing: int
    baseline_missing: int | None
    updated_ms: int
    drift_log_evidence: float | None = None
    drift_log_threshold: float | None = None
    drift_state: str | None = None
    drift_cells: tuple[str, ...] = ()
    quantiles: tuple[QuantileView, ...] = ()

    @property
    def has_mean(self) -> bool:
        """Whether the series is one of scores: categories are counted, but have no mean."""
        return self.mean is not None or not self.n


@dataclass(frozen=True, slots=True)
class Promises:
    """What the numbers guarantee.

    Attributes:
        alpha: chance that an interval ever misses the true mean of its window.
        seconds_per_false_alarm: mean time between false alarms, all series together, at least.
        alarmed_scorers: scorers whose series share that budget.
    """

    alpha: float
    seconds_per_false_alarm: float
    alarmed_scorers: frozenset[str]


@dataclass(frozen=True, slots=True)
class CulpritView:
    """What an open alert on a judge's scores is put down to.

    Attributes:
        kind: value of an `AlertKind`.
        culprit: value of a `Culprit`.
    """

    key: SeriesKey
    kind: str
    culprit: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every series that is alive, in any order.

    Attributes:
        culprits: of their open alerts, where a judge has part in them that is held against people.
    """

    promises: Promises
    estimates: tuple[EstimateView, ...] = ()
    culprits: tuple[CulpritView, ...] = ()


def newest_versions(estimates: Iterable[EstimateView]) -> list[EstimateView]:
    """The estimates without superseded evaluation versions, in the order of their labels.

    Labels do not name the version, so of two that are alive (a scorer was redefined a moment ago)
    only the one computed last may be shown: two values would lie in one time series.
    """
    ordered = sorted(estimates, key=lambda view: (*_shown(view.key), view.window))
    newest: dict[tuple[str, ...], tuple[int, str]] = {}
    for view in ordered:
        version = (view.updated_ms, view.key.evaluation_version)
        newest[_shown(view.key)] = max(newest.get(_shown(view.key), version), version)
    return [v for v in ordered if v.key.evaluation_version == newest[_shown(v.key)][1]]


def newest_decisions(estimates: Iterable[EstimateView]) -> list[EstimateView]:
    """One estimate per series, the one computed last, for what does not depend on the window."""
    newest: dict[SeriesKey, EstimateView] = {}
    for view in estimates:
        if view.updated_ms >= newest.setdefault(view.key, view).updated_ms:
            newest[view.key] = view
    return list(newest.values())


def _shown(key: SeriesKey) -> tuple[str, ...]:
    return (key.model, key.segment, key.scorer, key.against)
