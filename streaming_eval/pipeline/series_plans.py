"""From settings to how single series are watched."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

from streaming_eval.alerting.baseline import HOURS
from streaming_eval.alerting.drift import DriftPlan, Tail
from streaming_eval.alerting.plan import SeriesPlan, Thresholds, fleet_thresholds
from streaming_eval.pipeline.anchors import AGREEMENT
from streaming_eval.pipeline.bound_scorers import scale_of
from streaming_eval.pipeline.segment_mix import Mix
from streaming_eval.pipeline.series_counts import alarm_weight, watches_drift
from streaming_eval.pipeline.series_layout import SeriesLayout
from streaming_eval.scoring import ScorerDefinition
from streaming_eval.settings import BaselineSettings, ComparisonSettings, ScorerSettings, Settings
from streaming_eval.stats.grid import Grid
from streaming_eval.stats.levels import Scale


def own_plan(
    settings: Settings, scorer: ScorerSettings, definition: ScorerDefinition, layout: SeriesLayout
) -> SeriesPlan:
    """How a model's own scores are watched."""
    scale = scale_of(definition)
    judged = definition.higher_is_better is not None
    # A constant is said of a mean that can be good or bad.
    baseline = settings.monitor.baseline if judged else _pinned(settings)
    thresholds, drift = _thresholds(settings, scorer.alarm_weight), None
    if watches_drift(settings, scorer):
        ordered = not definition.categories
        drift = _drift_plan(settings, scale.levels, thresholds, ordered=ordered)
        drift = replace(drift, tail=_tail(definition, scale))
    plan = _plan(settings, scale, baseline, layout.grid(scale), thresholds)
    return replace(
        plan,
        smallest_effect=_effect(settings, scorer, scale),
        alarm=scorer.raises_alerts,
        judged=judged,
        drift=drift,
    )


def paired_plan(
    settings: Settings,
    scorer: ScorerSettings,
    definition: ScorerDefinition,
    comparison: ComparisonSettings,
    layout: SeriesLayout,
) -> SeriesPlan:
    """How differences between the scores of two models are watched."""
    own = scale_of(definition)
    scale = own.difference()
    # A constant mean of own scores says nothing of a difference.
    baseline = comparison.baseline or _pinned(settings)
    thresholds = _thresholds(settings, scorer.alarm_weight)
    plan = _plan(settings, scale, baseline, layout.grid(scale), thresholds)
    # A share of a value is no difference of two.
    of_scorer = None if own.logarithmic else scorer.smallest_effect
    effect = comparison.smallest_effect or of_scorer or settings.monitor.smallest_effect * own.span
    return replace(
        plan,
        smallest_effect=effect / scale.span,
        alarm=scorer.raises_alerts,
        judged=definition.higher_is_better is not None,
    )


def mix_plan(settings: Settings, mix: Mix) -> SeriesPlan:
    """Watched for drift alone: a mix has no better and no worse."""
    thresholds = _thresholds(settings, 1.0)
    drift = _drift_plan(settings, mix.scale.levels, thresholds, ordered=False)
    grid = Grid(len(mix.categories))
    plan = _plan(settings, mix.scale, _pinned(settings), grid, thresholds)
    return replace(plan, alarm=False, judged=False, drift=drift)


def agreement_plan(settings: Settings, layout: SeriesLayout) -> SeriesPlan:
    """How the agreement of a judge with people is watched: like a pass rate that has no season.

    A constant or seasonal baseline is one of the traffic's scores and says nothing of anchors, and
    people's grades need no time to mature.
    """
    thresholds, baseline = _thresholds(settings, 1.0), _pinned(settings)
    plan = _plan(settings, AGREEMENT, baseline, layout.grid(AGREEMENT), thresholds)
    return replace(plan, seasons=1, maturity_ms=0)


def _plan(
    settings: Settings,
    scale: Scale,
    baseline: BaselineSettings,
    grid: Grid,
    thresholds: Thresholds,
) -> SeriesPlan:
    """What all series have in common."""
    monitor = settings.monitor
    return SeriesPlan(
        grid=grid,
        pane_ms=monitor.pane,
        window_ms=monitor.window,
        baseline_samples=baseline.samples if baseline.kind == "pinned" else None,
        baseline_constant=_constant(baseline, scale),
        smallest_effect=monitor.smallest_effect,
        log_threshold=thresholds.log_threshold,
        log_suspect=thresholds.log_suspect,
        alarm=True,
        seasons=1 if baseline.seasonal is None else HOURS,
        sliding_ms=monitor.sliding_windows,
        maturity_ms=monitor.label_maturity,
    )


def _pinned(settings: Settings) -> BaselineSettings:
    baseline = settings.monitor.baseline
    return baseline if baseline.kind == "pinned" else BaselineSettings()


def _effect(settings: Settings, scorer: ScorerSettings, scale: Scale) -> float:
    """The loss that is not worth a page, on [0, 1]."""
    if scorer.smallest_effect is None:
        return settings.monitor.smallest_effect
    if scale.logarithmic:
        return scale.part(scorer.smallest_effect)
    return scorer.smallest_effect / scale.span


def _thresholds(settings: Settings, weight: float) -> Thresholds:
    """Those of an alarm of this weight."""
    monitor = settings.monitor
    # A scorer without alarms takes no share: what its threshold would be is then only for show.
    shares = max(alarm_weight(settings) / weight, 1.0)
    return fleet_thresholds(monitor.false_alarms.once_per, monitor.pane, shares)


def _drift_plan(
    settings: Settings, levels: int, thresholds: Thresholds, *, ordered: bool
) -> DriftPlan:
    effect = settings.monitor.smallest_effect
    return DriftPlan(
        levels=levels,
        ordered=ordered,
        tolerance=settings.monitor.drift.tolerance,
        log_threshold=thresholds.log_threshold,
        log_suspect=thresholds.log_suspect,
        enough=ceil(1.0 / effect**2),
    )


def _tail(definition: ScorerDefinition, scale: Scale) -> Tail:
    """Where on [0, 1] the largest latencies, costs or lengths lie."""
    if not definition.is_quantity:
        return Tail.NONE
    return Tail.HIGH if scale.higher_is_better else Tail.LOW


def _constant(baseline: BaselineSettings, scale: Scale) -> float | None:
    value = 0.0 if baseline.kind == "champion" else baseline.value
    return None if value is None else float(scale.unit(value))
