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
    of_mixes = _mixes(settings) * len(settings.production_models)
    return of_scores + of_mixes + anchored_scorers(settings)


def alarm_weight(settings: Settings) -> float:
    """Sum of the alarm weights of all those alarms; that of a mix, and of a judge itself, is 1."""
    weighed = sum(s.alarm_weight * _alarms_of(settings, s) for s in settings.scorers)
    of_mixes = _mixes(settings) * len(settings.production_models)
    return weighed + of_mixes + anchored_scorers(settings)


def series_limit(settings: Settings) -> int:
    """How many series can exist at all under this configuration."""
    cells = sum(scorer.kind is ScorerKind.EMBEDDING_CELL for scorer in settings.scorers)
    others = len(settings.scorers) - cells
    of_models = others * _models_and_pairs(settings) + cells * _models(settings)
    of_mixes = _mixes(settings) * len(settings.production_models)
    return of_models * _segments(settings) + of_mixes + anchored_scorers(settings)


def anchored_scorers(settings: Settings) -> int:
    """How many scorers have anchors: each adds one series, of the judge itself."""
    return sum(s.judge is not None and s.judge.anchors is not None for s in settings.scorers)


def _alarms_of(settings: Settings, scorer: ScorerSettings) -> int:
    """How many alarms a scorer's series may have, on means and on distributions."""
    means = _models_and_pairs(settings) if scorer.raises_alerts else 0
    distributions = _models(settings) if watches_drift(settings, scorer) else 0
    return (means + distributions) * _segments(settings)


def _models(settings: Settings) -> int:
    unknown_production = 1
    return len(settings.production_models) + unknown_production + len(settings.candidates)


def _models_and_pairs(settings: Settings) -> int:
    production = len(settings.production_models)
    pairs = sum(production if c.against == PRODUCTION else 1 for c in settings.comparisons)
    return _models(settings) + pairs


def watches_drift(settings: Settings, scorer: ScorerSettings) -> bool:
    """Whether the distribution of a scorer's scores may raise an alert."""
    return settings.monitor.drift.watch and scorer.watches_drift


def _segments(settings: Settings) -> int:
    return 1 + sum(len({*values, OTHER}) for values in settings.segments.values())


def _mixes(settings: Settings) -> int:
    return len(settings.segments) if settings.monitor.drift.watch else 0
