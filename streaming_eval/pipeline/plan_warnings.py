"""What a configuration may ask for but seldom should."""

from __future__ import annotations

from collections.abc import Iterator

from streaming_eval.alerting.baseline import HOURS
from streaming_eval.settings import BaselineSettings, ScorerKind, Settings
from streaming_eval.stats.baseline import FEW


def warnings(settings: Settings) -> list[str]:
    """One sentence for each, beginning with the setting."""
    found = [
        f"scorers.{index}.centroids: absent; {scorer.label} gathers vectors, and all its scores "
        "are missing until `streaming-eval centroids fit` has made a file of them"
        for index, scorer in enumerate(settings.scorers)
        if scorer.kind is ScorerKind.EMBEDDING_CELL and scorer.centroids is None
    ]
    for place, baseline in _baselines(settings):
        if baseline.kind != "pinned":
            continue
        parts = 1 if baseline.seasonal is None else HOURS
        if baseline.samples < FEW * parts:
            found.append(_too_few(place, baseline.samples, parts))
    return found


def _baselines(settings: Settings) -> Iterator[tuple[str, BaselineSettings]]:
    yield "monitor.baseline", settings.monitor.baseline
    for index, comparison in enumerate(settings.comparisons):
        if comparison.baseline is not None:
            yield f"comparisons.{index}.baseline", comparison.baseline


def _too_few(place: str, samples: int, parts: int) -> str:
    per_part = "" if parts == 1 else f", {samples // parts:,} for each hour of the day"
    return (
        f"{place}.samples: {samples:,}{per_part}; below {FEW * parts:,} the baseline is so "
        "uncertain that drops of a few points are found late or never"
    )
