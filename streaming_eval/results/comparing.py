"""Two models compared by every scorer that has scored both on the same samples."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from streaming_eval.adapters import score_pairs
from streaming_eval.adapters.lone_scores import Lone, lone_scores
from streaming_eval.adapters.score_pairs import Pairs, Wanted
from streaming_eval.errors import SettingsError, StorageError
from streaming_eval.pipeline.sample_hash import hash_ids
from streaming_eval.stats.comparison import Comparison, ScoreKind, compare
from streaming_eval.stats.holm import holm
from streaming_eval.stats.levels import MOST_LEVELS, Scale, mixed, uniforms

# Their caps keep counts finite and say nothing of the tail.
_UNBOUNDED = frozenset({"latency_ms", "cost"})


class Verdict(StrEnum):
    """What may be said of the candidate by one scorer, worst first."""

    WORSE = "worse"
    UNDECIDED = "undecided"
    BETTER = "better"


@dataclass(frozen=True, slots=True)
class ScorerVerdict:
    """One scorer's comparison, and what it comes to among the others.

    Attributes:
        comparison: by this scorer alone.
        p_worse: always-valid p-value of "not worse", adjusted for all scorers of the report.
        p_better: likewise of "not better".
        lone: scores that make no pair, as the other model's failed.
    """

    scorer: str
    evaluation_version: str
    comparison: Comparison
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
    found = [_compare(each, scorers, alpha, expected_n) for each in pairs]
    return _verdicts(pairs, found, lone_scores(rows, wanted), alpha)


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


def _compare(
    pairs: Pairs, scorers: Mapping[str, str], alpha: float, expected_n: float
) -> Comparison:
    if pairs.evaluation_version not in scorers:
        raise StorageError(f"evaluation version {pairs.evaluation_version} has no definition")
    scorer = json.loads(scorers[pairs.evaluation_version])["scorer"]
    levels = min(scorer["levels"], MOST_LEVELS)  # differences lie on an even scale
    scale = Scale(scorer["low"], scorer["high"], scorer["higher_is_better"], levels)
    salt = int(hash_ids([pairs.scorer])[0])
    drawn = uniforms(mixed(hash_ids(pairs.sample_ids), salt))
    return compare(pairs.differences, scale, _kind(scorer), drawn, alpha, expected_n)


def _kind(scorer: Mapping[str, object]) -> ScoreKind:
    if scorer["kind"] in _UNBOUNDED:
        return ScoreKind.UNBOUNDED
    return ScoreKind.PASS_FAIL if scorer["levels"] == 2 else ScoreKind.BOUNDED


def _verdicts(
    pairs: Sequence[Pairs],
    found: Sequence[Comparison],
    lone: Mapping[tuple[str, str], Lone],
    alpha: float,
) -> list[ScorerVerdict]:
    worse = holm([comparison.worse.p for comparison in found])
    better = holm([comparison.better.p for comparison in found])
    return [
        ScorerVerdict(
            scorer=each.scorer,
            evaluation_version=each.evaluation_version,
            comparison=comparison,
            p_worse=float(p_worse),
            p_better=float(p_better),
            lone=lone.get((each.scorer, each.evaluation_version), Lone(0, 0)),
            verdict=_verdict(float(p_worse), float(p_better), alpha),
        )
        for each, comparison, p_worse, p_better in zip(pairs, found, worse, better, strict=True)
    ]


def _verdict(p_worse: float, p_better: float, alpha: float) -> Verdict:
    """Both can have been shown, at different times: then it is a loss all the same."""
    if p_worse <= alpha:
        return Verdict.WORSE
    return Verdict.BETTER if p_better <= alpha else Verdict.UNDECIDED
