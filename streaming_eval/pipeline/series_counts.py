"""How many series a configuration can make, and how many alarms share its budget."""

from __future__ import annotations

from streaming_eval.inference.evaluate import PRODUCTION
from streaming_eval.records import OTHER
from streaming_eval.settings import ScorerKind, ScorerSettings, Settings


def alarmed_series(settings: Settings) -> int:
    """How many alarms share the false-alarm budget: all that can exist and may open.

    A series of a model's own may have two: one on its mean, one on its distribution. The mix of
    each segment has one per production model, and so has each judge that is held against people.
    """
    of_scores = sum(_alarms_of(settings, scorer) for scorer in settings.scorers)
    return of_scores + _others(settings)


def alarm_weight(settings: Settings) -> float:
    """Sum of the alarm weights of all those alarms; that of a mix, and of a judge itself, is 1."""
    weighed = sum(s.alarm_weight * _alarms_of(settings, s) for s in settings.scorers)
    return weighed + _others(settings)


def series_limit(settings: Settings) -> int:
    """How many series can exist at all under this configuration."""
    of_models = sum(_models(settings, s) + _pairs(settings, s) for s in settings.scorers)
    return of_models * _segments(settings) + _others(settings)


def _alarms_of(settings: Settings, scorer: ScorerSettings) -> int:
    """How many alarms a scorer's series may have, on means and on distributions."""
    own = _models(settings, scorer)
    means = own + _pairs(settings, scorer) if scorer.raises_alerts else 0
    distributions = own if watches_drift(settings, scorer) else 0
    return (means + distributions) * _segments(settings)


def _models(settings: Settings, scorer: ScorerSettings) -> int:
    unknown_production = 1
    candidates = 0 if scorer.of_prompt else len(settings.candidates)
    return len(settings.production_models) + unknown_production + candidates


def _pairs(settings: Settings, scorer: ScorerSettings) -> int:
    if scorer.of_prompt or scorer.kind is ScorerKind.EMBEDDING_CELL:
        return 0
    production = len(settings.production_models)
    return sum(production if c.against == PRODUCTION else 1 for c in settings.comparisons)


def watches_drift(settings: Settings, scorer: ScorerSettings) -> bool:
    """Whether the distribution of a scorer's scores may raise an alert."""
    return settings.monitor.drift.watch and scorer.watches_drift


def _segments(settings: Settings) -> int:
    return 1 + sum(len({*values, OTHER}) for values in settings.segments.values())


def _others(settings: Settings) -> int:
    """Series that are no model's scores: mixes of segments, and judges held against people."""
    mixes = len(settings.segments) if settings.monitor.drift.watch else 0
    anchored = sum(s.judge is not None and s.judge.anchors is not None for s in settings.scorers)
    return mixes * len(settings.production_models) + anchored
