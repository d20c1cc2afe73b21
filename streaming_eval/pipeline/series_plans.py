"""From settings to how single series are watched."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

from streaming_eval.alerting.baseline import HOURS
from streaming_eval.alerting.drift import DriftPlan
from streaming_eval.alerting.plan import SeriesPlan, Thresholds, fleet_thresholds
from streaming_eval.pipeline.bound_scorers import scale_of
from streaming_eval.pipeline.preaggregate import SeriesLayout
from streaming_eval.pipeline.segment_mix import Mix
from streaming_eval.pipeline.series_counts import alarmed_series, watches_drift
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
    drift = None
    if watches_drift(settings, scorer):
        drift = _drift_plan(settings, scale, ordered=not definition.categories)
    plan = _plan(settings, scale, baseline, layout.grid(scale))
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
    plan = _plan(settings, scale, baseline, layout.grid(scale))
    # A share of a value is no difference of two.
    of_scorer = None if own.logarithmic else scorer.smallest_effect
    effect = comparison.smallest_effect or of_scorer or settings.monitor.smallest_effect * own.span
    return replace(plan, smallest_effect=effect / scale.span, alarm=scorer.raises_alerts)


def mix_plan(settings: Settings, mix: Mix) -> SeriesPlan:
    """Watched for drift alone: a mix has no better and no worse."""
    drift = _drift_plan(settings, mix.scale, ordered=False)
    plan = _plan(settings, mix.scale, _pinned(settings), Grid(len(mix.categories)))
    return replace(plan, alarm=False, judged=False, drift=drift)


def _plan(settings: Settings, scale: Scale, baseline: BaselineSettings, grid: Grid) -> SeriesPlan:
    """What all series have in common."""
    monitor, thresholds = settings.monitor, _thresholds(settings)
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


def _thresholds(settings: Settings) -> Thresholds:
    monitor, alarmed = settings.monitor, max(alarmed_series(settings), 1)
    return fleet_thresholds(monitor.false_alarms.once_per, monitor.pane, alarmed)


def _drift_plan(settings: Settings, scale: Scale, *, ordered: bool) -> DriftPlan:
    effect, thresholds = settings.monitor.smallest_effect, _thresholds(settings)
    return DriftPlan(
        levels=scale.levels,
        ordered=ordered,
        tolerance=settings.monitor.drift.tolerance,
        log_threshold=thresholds.log_threshold,
        log_suspect=thresholds.log_suspect,
        enough=ceil(1.0 / effect**2),
    )


def _constant(baseline: BaselineSettings, scale: Scale) -> float | None:
    value = 0.0 if baseline.kind == "champion" else baseline.value
    return None if value is None else float(scale.unit(value))
