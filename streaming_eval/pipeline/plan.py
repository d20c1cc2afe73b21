"""From settings to the plain values that the parts of the pipeline are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from streaming_eval.alerting.plan import SeriesPlan
from streaming_eval.errors import SettingsError
from streaming_eval.inference.anchored_judge import AnchoredJudge
from streaming_eval.inference.evaluate import PRODUCTION, BoundScorer, EvaluationPlan
from streaming_eval.inference.spending.price import Prices
from streaming_eval.pipeline.anchors import Watched, anchored_judges, watched_judges
from streaming_eval.pipeline.bound_scorers import bound_scorer, model_call, scale_of
from streaming_eval.pipeline.segment_mix import Mix
from streaming_eval.pipeline.series_layout import SeriesLayout
from streaming_eval.pipeline.series_plans import agreement_plan, mix_plan, own_plan, paired_plan
from streaming_eval.pipeline.spending_plan import prices
from streaming_eval.records import SEGMENT_MIX, SeriesKey
from streaming_eval.scoring import ScorerDefinition
from streaming_eval.settings import ScorerKind, Settings
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
        named: label of a scorer of categories to their names.
        judges: (scorer label, evaluation version) to how its judge is held against people.
        quantities: label of a scorer of latencies, costs or lengths to the unit of its values.
    """

    layout: SeriesLayout
    own: Mapping[str, SeriesPlan]
    paired: Mapping[tuple[str, str, str], SeriesPlan]
    scales: Mapping[str, Scale]
    allowed_lateness_ms: int
    worker_silence_s: float
    mixes: Mapping[str, SeriesPlan] = field(default_factory=dict)
    named: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    judges: Mapping[tuple[str, str], Watched] = field(default_factory=dict)
    quantities: Mapping[str, str] = field(default_factory=dict)

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
        return self.named.get(key.scorer, ()) if mix is None else mix.categories

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
        candidates=tuple(model_call(settings, c, c.name) for c in settings.candidates),
        scorers=scorers,
        pairs=_pairs(settings, production=(PRODUCTION,)),
        anchored=anchored_judges(settings.scorers, scorers),
        prices=_prices(settings),
    )


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
    definitions = {b.definition.name: b.definition for b in bound}
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
        production=settings.production_models,
        categories=frozenset(name for name, d in definitions.items() if d.categories),
        of_prompt=frozenset(name for name, d in definitions.items() if d.of_prompt),
        anchored=frozenset(judge.definition.name for judge in anchored),
    )
    return MonitorPlan(
        layout=layout,
        own={s.label: own_plan(settings, s, definitions[s.label], layout) for s in settings.scorers}
        | dict.fromkeys(layout.anchored, agreement_plan(settings, layout)),
        paired={
            (s.label, c.candidate, c.against): paired_plan(
                settings, s, definitions[s.label], c, layout
            )
            for s in settings.scorers
            if definitions[s.label].comparable
            for c in settings.comparisons
        },
        scales={s.definition.name: scale_of(s.definition) for s in scorers},
        allowed_lateness_ms=settings.monitor.allowed_lateness,
        worker_silence_s=settings.spark.worker_silence / 1_000,
        mixes={name: mix_plan(settings, mix) for name, mix in layout.mixes.items()},
        named={name: _cells(d) for name, d in definitions.items() if d.categories},
        judges=watched_judges(settings.scorers, bound, anchored),
        quantities={n: _unit(d, settings) for n, d in definitions.items() if d.is_quantity},
    )


def _prices(settings: Settings) -> Prices | None:
    wanted = any(scorer.kind is ScorerKind.COST for scorer in settings.scorers)
    return prices(settings.prices) if wanted else None


def _mixes(settings: Settings) -> dict[str, Mix]:
    if not settings.monitor.drift.watch:
        return {}
    return {name: Mix.of(values) for name, values in settings.segments.items()}


def _pairs(settings: Settings, production: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    pairs: dict[str, tuple[str, ...]] = {}
    for comparison in settings.comparisons:
        others = production if comparison.against == PRODUCTION else (comparison.against,)
        pairs[comparison.candidate] = pairs.get(comparison.candidate, ()) + others
    return pairs


def _unit(definition: ScorerDefinition, settings: Settings) -> str:
    units = {"latency_ms": "ms", "cost": settings.prices.currency}
    return units.get(definition.kind, "characters")


def _cells(definition: ScorerDefinition) -> tuple[str, ...]:
    return tuple(f"cell {number}" for number in range(definition.levels))
