"""From settings to the plain values that the parts of the pipeline are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil

from streaming_eval.alerting.baseline import HOURS
from streaming_eval.alerting.drift import DriftPlan
from streaming_eval.alerting.plan import SeriesPlan, Thresholds, fleet_thresholds
from streaming_eval.errors import PermanentError, SettingsError
from streaming_eval.inference.anchored_judge import AnchoredJudge
from streaming_eval.inference.cache.cache_key import cache_key
from streaming_eval.inference.evaluate import (
    PRODUCTION,
    BoundScorer,
    Embedder,
    EvaluationPlan,
    Judge,
    ModelCall,
)
from streaming_eval.pipeline.anchors import (
    AGREEMENT,
    Watched,
    agreement_plan,
    anchored_judges,
    anchored_scorers,
    watched_judges,
)
from streaming_eval.pipeline.preaggregate import SeriesLayout
from streaming_eval.pipeline.segment_mix import SEGMENT_MIX, Mix
from streaming_eval.records import OTHER, SeriesKey
from streaming_eval.scoring import ScorerDefinition, define, evaluation_version
from streaming_eval.settings import (
    BaselineSettings,
    ComparisonSettings,
    ModelSettings,
    RemoteModelSettings,
    ScorerSettings,
    Settings,
)
from streaming_eval.stats.grid import Grid
from streaming_eval.stats.levels import Scale


@dataclass(frozen=True, slots=True)
class MonitorPlan:
    """Everything the monitor query needs to know, fixed before data is seen.

    Attributes:
        own: scorer label to the plan of a model's own series.
        paired: (scorer label, candidate, other) to the plan of a paired series, where the other is
            a candidate or `production`.
        scales: scorer label to the scale of its own series.
        worker_silence_s: see `worker_life`.
        mixes: segment name to the plan of its mix.
        judges: (scorer label, evaluation version) to how its judge is held against people.
    """

    layout: SeriesLayout
    own: Mapping[str, SeriesPlan]
    paired: Mapping[tuple[str, str, str], SeriesPlan]
    scales: Mapping[str, Scale]
    allowed_lateness_ms: int
    worker_silence_s: float
    mixes: Mapping[str, SeriesPlan] = field(default_factory=dict)
    judges: Mapping[tuple[str, str], Watched] = field(default_factory=dict)

    def watches(self, key: SeriesKey) -> bool:
        """Whether the series is still part of the configuration.

        State outlives a scorer or comparison that the operator removes or redefines.
        """
        if (mix := self.mix(key)) is not None:
            return mix.version == key.evaluation_version
        current = (key.scorer, key.evaluation_version) in self.layout.scales
        return current and (not key.against or self._pair(key) is not None)

    def series(self, key: SeriesKey) -> SeriesPlan:
        """The plan of one series that `watches` knows."""
        if self.mix(key) is not None:
            return self.mixes[key.segment]
        plan = self._pair(key) if key.against else self.own.get(key.scorer)
        if plan is None:
            raise KeyError(f"{key} is not part of this configuration")
        return plan

    def mix(self, key: SeriesKey) -> Mix | None:
        """The categories of a series that is the mix of a segment; None of any other series."""
        return self.layout.mixes.get(key.segment) if key.scorer == SEGMENT_MIX else None

    def categories(self, key: SeriesKey) -> tuple[str, ...]:
        """Names of the categories that a series counts; empty where it counts scores."""
        mix = self.mix(key)
        return () if mix is None else mix.categories

    def _pair(self, key: SeriesKey) -> SeriesPlan | None:
        exact = self.paired.get((key.scorer, key.model, key.against))
        return exact or self.paired.get((key.scorer, key.model, PRODUCTION))

    def scale(self, key: SeriesKey) -> Scale:
        """The scale of one series; a paired one lies on the scale of differences."""
        if (mix := self.mix(key)) is not None:
            return mix.scale
        scale = self.scales[key.scorer]
        return scale.difference() if key.against else scale


def evaluation_plan(settings: Settings) -> EvaluationPlan:
    """What the score query does with every sample.

    Raises:
        SettingsError: a judge's anchors cannot be read.
    """
    scorers = tuple(bound_scorer(settings, scorer) for scorer in settings.scorers)
    return EvaluationPlan(
        candidates=tuple(_call(settings, c, c.name) for c in settings.candidates),
        scorers=scorers,
        pairs=_pairs(settings, production=(PRODUCTION,)),
        anchored=anchored_judges(settings.scorers, scorers),
    )


def bound_scorer(settings: Settings, scorer: ScorerSettings) -> BoundScorer:
    """A scorer with the model it asks and the evaluation version that follows from both."""
    definition = _definition(scorer)
    if scorer.embedding is not None:
        call = _call(settings, scorer.embedding, scorer.label)
        version = evaluation_version(definition, asked=call.request(()))
        return BoundScorer(definition, version, Embedder(call))
    if scorer.judge is None:
        return BoundScorer(definition, evaluation_version(definition))
    call = _call(settings, scorer.judge, scorer.label)
    judge = Judge(call, scorer.judge.rubric, scorer.judge.low, scorer.judge.high)
    asked = call.request(())
    return BoundScorer(definition, evaluation_version(definition, judge.rubric, asked), judge)


def monitor_plan(settings: Settings) -> MonitorPlan:
    """What the monitor query makes of the scores.

    Raises:
        SettingsError: values that are possible alone make no sense together.
    """
    try:
        return _monitor_plan(settings)
    except ValueError as error:
        raise SettingsError(f"monitor: {error}") from None


def _monitor_plan(settings: Settings) -> MonitorPlan:
    bound = [bound_scorer(settings, scorer) for scorer in settings.scorers]
    anchored = anchored_judges(settings.scorers, bound)
    scorers: list[BoundScorer | AnchoredJudge] = [*bound, *anchored]
    layout = SeriesLayout(
        scales={(s.definition.name, s.evaluation_version): scale_of(s.definition) for s in scorers},
        models=(*settings.production_models, *(c.name for c in settings.candidates)),
        segments=settings.segments,
        pairs=_pairs(settings, production=settings.production_models),
        pane_ms=settings.monitor.pane,
        max_weight=settings.monitor.max_weight,
        mixes=_mixes(settings),
        mix_models=settings.production_models,
        anchored=frozenset(judge.definition.name for judge in anchored),
    )
    agreement = agreement_plan(settings, layout.grid(AGREEMENT), _thresholds(settings, 1.0))
    return MonitorPlan(
        layout=layout,
        own={s.label: _series_plan(settings, s, None, layout) for s in settings.scorers}
        | dict.fromkeys(layout.anchored, agreement),
        paired={
            (s.label, c.candidate, c.against): _series_plan(settings, s, c, layout)
            for s in settings.scorers
            for c in settings.comparisons
        },
        scales={s.definition.name: scale_of(s.definition) for s in scorers},
        allowed_lateness_ms=settings.monitor.allowed_lateness,
        worker_silence_s=settings.spark.worker_silence / 1_000,
        mixes={name: _mix_plan(settings, mix) for name, mix in layout.mixes.items()},
        judges=watched_judges(settings.scorers, bound, anchored),
    )


def _mixes(settings: Settings) -> dict[str, Mix]:
    if not settings.monitor.drift.watch:
        return {}
    return {name: Mix.of(values) for name, values in settings.segments.items()}


def alarmed_series(settings: Settings) -> int:
    """How many alarms share the false-alarm budget: all that can exist and may open.

    A series of a model's own may have two: one on its mean, one on its distribution. The mix of
    each segment has one per production model, and so has each judge that is held against people.
    """
    of_scores = sum(_alarms_of(settings, scorer) for scorer in settings.scorers)
    of_mixes = len(_mixes(settings)) * len(settings.production_models)
    return of_scores + of_mixes + anchored_scorers(settings)


def _alarms_of(settings: Settings, scorer: ScorerSettings) -> int:
    """How many alarms a scorer's series may have, on means and on distributions."""
    means = _models_and_pairs(settings) if scorer.raises_alerts else 0
    distributions = _models(settings) if _watches_drift(settings, scorer) else 0
    return (means + distributions) * _segments(settings)


def alarm_weight(settings: Settings) -> float:
    """Sum of the alarm weights of all those alarms; that of a mix, and of a judge itself, is 1."""
    weighed = sum(s.alarm_weight * _alarms_of(settings, s) for s in settings.scorers)
    of_mixes = len(_mixes(settings)) * len(settings.production_models)
    return weighed + of_mixes + anchored_scorers(settings)


def series_limit(settings: Settings) -> int:
    """How many series can exist at all under this configuration."""
    of_scores = len(settings.scorers) * _models_and_pairs(settings) * _segments(settings)
    of_mixes = len(_mixes(settings)) * len(settings.production_models)
    return of_scores + of_mixes + anchored_scorers(settings)


def scale_of(definition: ScorerDefinition) -> Scale:
    """The scale of a scorer's own values."""
    return Scale(definition.low, definition.high, definition.higher_is_better, definition.levels)


def _models(settings: Settings) -> int:
    unknown_production = 1
    return len(settings.production_models) + unknown_production + len(settings.candidates)


def _models_and_pairs(settings: Settings) -> int:
    production = len(settings.production_models)
    pairs = sum(production if c.against == PRODUCTION else 1 for c in settings.comparisons)
    return _models(settings) + pairs


def _watches_drift(settings: Settings, scorer: ScorerSettings) -> bool:
    return settings.monitor.drift.watch and scorer.watches_drift


def _segments(settings: Settings) -> int:
    return 1 + sum(len({*values, OTHER}) for values in settings.segments.values())


def _definition(scorer: ScorerSettings) -> ScorerDefinition:
    if scorer.judge is not None:
        return define(scorer.kind.value, scorer.label, low=scorer.judge.low, high=scorer.judge.high)
    return define(scorer.kind.value, scorer.label, cap_ms=scorer.cap_ms)


def _call(settings: Settings, model: RemoteModelSettings, name: str) -> ModelCall:
    endpoint = settings.endpoints[model.endpoint]
    call = ModelCall(
        name=name,
        endpoint=model.endpoint,
        base_url=endpoint.base_url,
        api=endpoint.api,
        model=model.model,
        revision=model.revision,
        system_prompt=model.system_prompt if isinstance(model, ModelSettings) else None,
        parameters=dict(model.parameters),
    )
    try:
        cache_key(call.request(()))
    except PermanentError as error:
        raise SettingsError(f"parameters of {name}: {error}") from None
    return call


def _pairs(settings: Settings, production: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    pairs: dict[str, tuple[str, ...]] = {}
    for comparison in settings.comparisons:
        others = production if comparison.against == PRODUCTION else (comparison.against,)
        pairs[comparison.candidate] = pairs.get(comparison.candidate, ()) + others
    return pairs


def _series_plan(
    settings: Settings,
    scorer: ScorerSettings,
    comparison: ComparisonSettings | None,
    layout: SeriesLayout,
) -> SeriesPlan:
    monitor = settings.monitor
    scale = scale_of(_definition(scorer))
    width = scale.high - scale.low
    effect = scorer.smallest_effect or monitor.smallest_effect * width
    baseline = monitor.baseline
    if comparison is not None:
        effect = comparison.smallest_effect or effect
        # A constant mean of own scores says nothing of a difference.
        inherited = baseline if baseline.kind == "pinned" else BaselineSettings()
        baseline = comparison.baseline or inherited
        scale = scale.difference()
    thresholds, drift = _thresholds(settings, scorer.alarm_weight), None
    if comparison is None and _watches_drift(settings, scorer):
        drift = _drift_plan(settings, scale, thresholds, ordered=True)
    return SeriesPlan(
        grid=layout.grid(scale),
        pane_ms=monitor.pane,
        window_ms=monitor.window,
        baseline_samples=baseline.samples if baseline.kind == "pinned" else None,
        baseline_constant=_constant(baseline, scale),
        smallest_effect=effect / (scale.high - scale.low),
        log_threshold=thresholds.log_threshold,
        log_suspect=thresholds.log_suspect,
        alarm=scorer.raises_alerts,
        seasons=1 if baseline.seasonal is None else HOURS,
        sliding_ms=monitor.sliding_windows,
        maturity_ms=monitor.label_maturity,
        drift=drift,
    )


def _mix_plan(settings: Settings, mix: Mix) -> SeriesPlan:
    """Watched for drift alone: a mix has no better and no worse."""
    monitor, thresholds = settings.monitor, _thresholds(settings, 1.0)
    pinned = monitor.baseline if monitor.baseline.kind == "pinned" else BaselineSettings()
    return SeriesPlan(
        grid=Grid(len(mix.categories)),
        pane_ms=monitor.pane,
        window_ms=monitor.window,
        baseline_samples=pinned.samples,
        baseline_constant=None,
        smallest_effect=monitor.smallest_effect,
        log_threshold=thresholds.log_threshold,
        log_suspect=thresholds.log_suspect,
        alarm=False,
        seasons=1 if pinned.seasonal is None else HOURS,
        sliding_ms=monitor.sliding_windows,
        maturity_ms=monitor.label_maturity,
        drift=_drift_plan(settings, mix.scale, thresholds, ordered=False),
    )


def _thresholds(settings: Settings, weight: float) -> Thresholds:
    """Those of an alarm of this weight."""
    monitor = settings.monitor
    # A scorer without alarms takes no share: what its threshold would be is then only for show.
    shares = max(alarm_weight(settings) / weight, 1.0)
    return fleet_thresholds(monitor.false_alarms.once_per, monitor.pane, shares)


def _drift_plan(
    settings: Settings, scale: Scale, thresholds: Thresholds, *, ordered: bool
) -> DriftPlan:
    effect = settings.monitor.smallest_effect
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
