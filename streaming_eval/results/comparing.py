"""Two models compared by every scorer that has scored both on the same samples."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from streaming_eval.adapters import score_pairs
from streaming_eval.adapters.lone_scores import Lone, lone_scores
from streaming_eval.adapters.score_pairs import Pairs, Wanted
from streaming_eval.errors import SettingsError, StorageError
from streaming_eval.pipeline.sample_hash import hash_ids
from streaming_eval.scoring.definition import QUANTITIES
from streaming_eval.stats.comparison import Comparison, ScoreKind, compare
from streaming_eval.stats.holm import holm
from streaming_eval.stats.levels import MOST_LEVELS, Scale, mixed, uniforms


class Verdict(StrEnum):
    """What may be said of the candidate by one scorer.

    `lower` and `higher` are for scorers of which neither is better.
    """

    WORSE = "worse"
    UNDECIDED = "undecided"
    BETTER = "better"
    LOWER = "lower"
    HIGHER = "higher"


@dataclass(frozen=True, slots=True)
class ScorerVerdict:
    """One scorer's comparison, and what it comes to among the others.

    Where no value is better than another, "worse" stands for lower and "better" for higher.

    Attributes:
        comparison: by this scorer alone.
        has_direction: whether one end of its scale is better.
        p_worse: always-valid p-value of "not worse", adjusted for all scorers of the report.
        p_better: likewise of "not better".
        lone: scores that make no pair, as the other model's failed.
    """

    scorer: str
    evaluation_version: str
    comparison: Comparison
    has_direction: bool
    p_worse: float
    p_better: float
    lone: Lone
    verdict: Verdict


def compare_models(
    root: Path, wanted: Wanted, alpha: float, expected_n: float
) -> list[ScorerVerdict]:
    """The comparison by each scorer, under the evaluation version of its newest pair.

    Calling a candidate worse by any scorer by which it is not has probability at most `alpha`,
    over all scorers and all times at which the report is read; and so has calling it better.

    Args:
        root: the job's storage root.
        wanted: which pairs.
        alpha: also of each interval, for itself.
        expected_n: pairs at which intervals shall be tightest.

    Raises:
        SettingsError: a model has no scores at all.
        StorageError: there are no scores, or none of both models on the same samples.
    """
    _check_models(score_pairs.models_with_scores(root), root, wanted)
    rows = score_pairs.wanted_rows(root, wanted)
    pairs = _newest_versions(score_pairs.pairs_of(rows, wanted))
    if not pairs:
        raise StorageError(
            f"no sample has scores of both {wanted.candidate} and {' or '.join(wanted.against)} "
            "in what was asked for"
        )
    scorers = score_pairs.definitions(root)
    defined = [(each, _scorer(each, scorers)) for each in pairs]
    return _verdicts(
        [(each, scorer, _compare(each, scorer, alpha, expected_n)) for each, scorer in defined],
        lone_scores(rows, wanted),
        alpha,
    )


def _check_models(known: Sequence[str], root: Path, wanted: Wanted) -> None:
    for names in ((wanted.candidate,), wanted.against):
        if not set(names) & set(known):
            raise SettingsError(
                f"no scores of a model {' or '.join(names)} under {root}; "
                f"there are: {', '.join(known) or 'none'}"
            )
    if wanted.candidate in wanted.against:
        raise SettingsError(f"{wanted.candidate} is not compared with itself")


def _newest_versions(pairs: Iterable[Pairs]) -> list[Pairs]:
    """Of each scorer the version that was scored last: others are no longer of interest."""
    newest: dict[str, Pairs] = {}
    for each in pairs:
        kept = newest.get(each.scorer)
        if kept is None or each.newest_ms > kept.newest_ms:
            newest[each.scorer] = each
    return list(newest.values())


def _scorer(pairs: Pairs, scorers: Mapping[str, str]) -> Mapping[str, Any]:
    """The definition of the scorer."""
    if pairs.evaluation_version not in scorers:
        raise StorageError(f"evaluation version {pairs.evaluation_version} has no definition")
    scorer: Mapping[str, Any] = json.loads(scorers[pairs.evaluation_version])["scorer"]
    return scorer


def _compare(
    pairs: Pairs, scorer: Mapping[str, Any], alpha: float, expected_n: float
) -> Comparison:
    levels = min(scorer["levels"], MOST_LEVELS)  # differences lie on an even scale
    higher_is_better = scorer["higher_is_better"] is not False
    scale = Scale(scorer["low"], scorer["high"], higher_is_better, levels)
    salt = int(hash_ids([pairs.scorer])[0])
    drawn = uniforms(mixed(hash_ids(pairs.sample_ids), salt))
    return compare(pairs.differences, scale, _kind(scorer), drawn, alpha, expected_n)


def _kind(scorer: Mapping[str, Any]) -> ScoreKind:
    if scorer["kind"] in QUANTITIES:  # their caps keep counts finite and say nothing of the tail
        return ScoreKind.UNBOUNDED
    return ScoreKind.PASS_FAIL if scorer["levels"] == 2 else ScoreKind.BOUNDED


def _verdicts(
    found: Sequence[tuple[Pairs, Mapping[str, Any], Comparison]],
    lone: Mapping[tuple[str, str], Lone],
    alpha: float,
) -> list[ScorerVerdict]:
    worse = holm([comparison.worse.p for _, _, comparison in found])
    better = holm([comparison.better.p for _, _, comparison in found])
    verdicts = []
    for (pairs, scorer, comparison), p_worse, p_better in zip(found, worse, better, strict=True):
        has_direction = scorer["higher_is_better"] is not None
        verdicts.append(
            ScorerVerdict(
                scorer=pairs.scorer,
                evaluation_version=pairs.evaluation_version,
                comparison=comparison,
                has_direction=has_direction,
                p_worse=float(p_worse),
                p_better=float(p_better),
                lone=lone.get((pairs.scorer, pairs.evaluation_version), Lone(0, 0)),
                verdict=_verdict(p_worse <= alpha, p_better <= alpha, has_direction),
            )
        )
    return verdicts


def _verdict(below: bool, above: bool, has_direction: bool) -> Verdict:
    """Both can have been shown, at different times: then it is a loss all the same."""
    if has_direction:
        return Verdict.WORSE if below else Verdict.BETTER if above else Verdict.UNDECIDED
    if below == above:
        return Verdict.UNDECIDED
    return Verdict.LOWER if below else Verdict.HIGHER
