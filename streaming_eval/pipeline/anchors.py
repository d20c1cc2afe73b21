"""Judges that are held against people: what is asked of them, and which series watches them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from streaming_eval.adapters.anchor_file import read_anchors
from streaming_eval.errors import SettingsError
from streaming_eval.formats.anchors import anchors_hash
from streaming_eval.inference.anchored_judge import AnchoredJudge
from streaming_eval.inference.evaluate import BoundScorer, Judge
from streaming_eval.records import ALL_SEGMENTS, JUDGE, SeriesKey
from streaming_eval.scoring import ScorerDefinition, evaluation_version
from streaming_eval.scoring.definition import BINARY_LEVELS
from streaming_eval.settings import ScorerSettings
from streaming_eval.settings.anchors import AnchorSettings, anchors_label
from streaming_eval.stats.levels import Scale

AGREEMENT = Scale(0.0, 1.0, True, BINARY_LEVELS)


@dataclass(frozen=True, slots=True)
class Watched:
    """A judge's own series, and what alarms on its scores wait for.

    Attributes:
        agreement: the series of its agreement with people.
        guard: see `Attribution`.
    """

    agreement: SeriesKey
    guard: int


def anchored_judges(
    scorers: Iterable[ScorerSettings], bound: Iterable[BoundScorer]
) -> tuple[AnchoredJudge, ...]:
    """The judges that have anchors, in order.

    Raises:
        SettingsError: their file cannot be read, or holds something else.
    """
    return tuple(
        _anchored(settings.judge.anchors, scorer)
        for settings, scorer in zip(scorers, bound, strict=True)
        if settings.judge is not None and settings.judge.anchors is not None
    )


def watched_judges(
    scorers: Iterable[ScorerSettings],
    bound: Iterable[BoundScorer],
    judges: Iterable[AnchoredJudge],
) -> dict[tuple[str, str], Watched]:
    """(Scorer label, evaluation version) to how its judge is watched, where it has anchors."""
    series = {judge.definition.name: _series(judge) for judge in judges}
    return {
        (s.label, b.evaluation_version): Watched(
            series[anchors_label(s.label)], s.judge.anchors.guard
        )
        for s, b in zip(scorers, bound, strict=True)
        if s.judge is not None and s.judge.anchors is not None
    }


def _series(judge: AnchoredJudge) -> SeriesKey:
    return SeriesKey(JUDGE, ALL_SEGMENTS, judge.definition.name, judge.evaluation_version)


def _anchored(settings: AnchorSettings, scorer: BoundScorer) -> AnchoredJudge:
    judge = scorer.judge
    assert isinstance(judge, Judge)  # the settings' own check
    label = scorer.definition.name
    try:
        anchors = read_anchors(settings.file, judge.low, judge.high)
    except SettingsError as error:
        raise SettingsError(f"anchors of {label}: {error}") from None
    definition = ScorerDefinition(
        name=anchors_label(label),
        kind="judge_anchors",
        low=AGREEMENT.low,
        high=AGREEMENT.high,
        higher_is_better=True,
        levels=BINARY_LEVELS,
        needs_target=False,
        # Other anchors are graded otherwise by the same judge, so they are another series; the
        # judge's own scores mean what they meant, so its version says nothing of them.
        parameters={
            "anchors": anchors_hash(anchors),
            "tolerance": settings.tolerance,
            "judge": scorer.evaluation_version,
        },
    )
    version = evaluation_version(definition)
    return AnchoredJudge(definition, version, judge, anchors, settings.share, settings.tolerance)
