"""A candidate against another model on the same samples: one record, whatever the kind of score."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import inf

import numpy as np
from numpy.typing import ArrayLike

from streaming_eval.stats import classical, paired_bets
from streaming_eval.stats.asymptotic import AsymptoticSequence, is_skewed
from streaming_eval.stats.bootstrap import Bootstrap, bootstrap_mean
from streaming_eval.stats.classical import OneLook
from streaming_eval.stats.evidence import Evidence
from streaming_eval.stats.interval import Interval
from streaming_eval.stats.levels import Counts, Floats, Scale, mean, to_levels
from streaming_eval.stats.mcnemar import McNemar, differing
from streaming_eval.stats.median import median_interval
from streaming_eval.stats.moments import Moments
from streaming_eval.stats.signed_rank import SignedRank
from streaming_eval.stats.t_process import Sums, TProcess

BATCH = 64  # pairs per batch of ranks: a fixed cut, so that later pairs never change earlier ones
_LOOKS = 1_000  # at most, along the series, to find the largest evidence reached


class ScoreKind(StrEnum):
    """What is known of a scorer's values before any is seen; it decides the test.

    `pass_fail`: McNemar. `bounded`: grades or a continuum of a known range; mixture of bets.
    `unbounded`: tails of any weight, such as latency; ranks and the median. `near_normal`: sums of
    many small parts; t.
    """

    PASS_FAIL = "pass_fail"
    BOUNDED = "bounded"
    UNBOUNDED = "unbounded"
    NEAR_NORMAL = "near_normal"


@dataclass(frozen=True, slots=True)
class MeanDifference:
    """Candidate's mean minus the other's of unbounded scores, such as money, which adds up.

    Attributes:
        effect: on the own scale.
        interval: nearly right for any number of looks at many pairs; None while there are too few.
        skewed: whether differences are too skewed for the interval to be believed.
    """

    effect: float
    interval: Interval | None
    skewed: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """What pairs of scores say of a candidate. Effects are own minus other's, on the own scale.

    Attributes:
        kind: of the scores.
        n: pairs.
        measure: what the effect is: `mean difference` or `median difference`.
        effect: None where there is no pair.
        interval: of the effect, for any number of looks.
        worse: evidence against "the candidate is not worse", for any number of looks.
        better: evidence against "the candidate is not better", likewise.
        one_look: the classical test: for one look at a planned n.
        bootstrap: of the mean difference: for one look; None where n is too small or too large.
        mean: of unbounded scores, whose effect is a median; None for others and for no pair.
    """

    kind: ScoreKind
    n: int
    measure: str
    effect: float | None
    interval: Interval
    worse: Evidence
    better: Evidence
    one_look: OneLook
    bootstrap: Bootstrap | None
    mean: MeanDifference | None = None


@dataclass(frozen=True, slots=True)
class _Sequential:
    effect: float | None
    interval: Interval
    worse: Evidence
    better: Evidence


def compare(
    differences: ArrayLike,
    scale: Scale,
    kind: ScoreKind,
    uniforms: Floats,
    alpha: float,
    expected_n: float,
) -> Comparison:
    """The comparison from all pairs so far, in an order that later pairs only continue.

    Args:
        differences: candidate's minus the other's value, own scale.
        scale: of the values themselves.
        kind: of the scores.
        uniforms: one number in [0, 1) per pair, for rounding, from the sample's identity.
        alpha: probability that the interval ever misses.
        expected_n: pairs at which the interval shall be tightest.
    """
    d = np.asarray(differences, np.float64)
    good = d if scale.higher_is_better else -d
    found: _Sequential
    if kind in (ScoreKind.PASS_FAIL, ScoreKind.BOUNDED):
        found = _bounded(to_levels(d, scale.difference(), uniforms), scale, alpha, expected_n)
    elif kind is ScoreKind.UNBOUNDED:
        found = _by_rank(d, good, alpha)
    else:
        found = _near_normal(d, good, alpha)
    return Comparison(
        kind=kind,
        n=d.size,
        measure="median difference" if kind is ScoreKind.UNBOUNDED else "mean difference",
        effect=found.effect,
        interval=found.interval,
        worse=found.worse,
        better=found.better,
        one_look=_one_look(good, kind, alpha),
        bootstrap=bootstrap_mean(d, alpha),
        mean=_mean_difference(d, kind, AsymptoticSequence(alpha, expected_n)),
    )


def _mean_difference(
    d: Floats, kind: ScoreKind, sequence: AsymptoticSequence
) -> MeanDifference | None:
    if kind is not ScoreKind.UNBOUNDED or not d.size:
        return None
    moments = Moments.of(d)
    return MeanDifference(moments.mean, sequence.interval(moments), is_skewed(moments))


def _looks(n: int) -> Counts:
    """After how many pairs evidence is read: at most 1,000 moments, the last one included."""
    return np.unique(np.linspace(1, n, min(n, _LOOKS)).astype(np.int64)) if n else np.arange(0)


def _bounded(levels: Counts, scale: Scale, alpha: float, expected_n: float) -> _Sequential:
    on = scale.difference()
    looks = _looks(levels.size)
    # Counts between one look and the next, summed up.
    between = np.searchsorted(looks, np.arange(1, levels.size + 1))
    cells = np.bincount(between * on.levels + levels, minlength=looks.size * on.levels)
    counts = cells.reshape(looks.size, on.levels).cumsum(axis=0)
    total = counts[-1] if looks.size else np.zeros(on.levels, np.int64)
    limits = paired_bets.mean_interval(total, alpha, expected_n)
    raw = sorted(on.raw([limits.lower, limits.upper]).tolist())
    worse, better = _paths(counts)
    effect = float(on.raw(mean(total))) if levels.size else None
    return _Sequential(
        effect, Interval(*raw), Evidence.of_path(worse.tolist()), Evidence.of_path(better.tolist())
    )


def _paths(counts: Counts) -> tuple[Floats, Floats]:
    """Log evidence of "worse" and of "better" for each row of counts [looks, K]."""
    if counts.shape[1] != 3:
        worse = paired_bets.log_evidence_worse(counts)
        return worse, paired_bets.log_evidence_worse(counts[:, ::-1])
    won, lost = differing(counts)
    test = McNemar()
    return test.log_evidence_worse(won, lost), test.log_evidence_worse(lost, won)


def _by_rank(d: Floats, good: Floats, alpha: float) -> _Sequential:
    state, worse, better = SignedRank(), [], []
    for first in range(0, d.size, BATCH):
        state = state.update(good[first : first + BATCH])
        worse.append(state.log_evidence_worse())
        better.append(state.log_evidence_better())
    effect = float(np.median(d)) if d.size else None
    return _Sequential(
        effect, median_interval(d, alpha), Evidence.of_path(worse), Evidence.of_path(better)
    )


def _near_normal(d: Floats, good: Floats, alpha: float) -> _Sequential:
    looks = _looks(d.size)
    totals, squares = good.cumsum()[looks - 1], (good**2).cumsum()[looks - 1]
    test, worse, better = TProcess(), [], []
    for n, total, square in zip(looks, totals, squares, strict=True):
        worse.append(test.log_evidence_worse(Sums(int(n), float(total), float(square))))
        better.append(test.log_evidence_worse(Sums(int(n), -float(total), float(square))))
    limits = test.interval(Sums.of(d), alpha) if d.size else Interval(-inf, inf)
    return _Sequential(Sums.of(d).mean, limits, Evidence.of_path(worse), Evidence.of_path(better))


def _one_look(good: Floats, kind: ScoreKind, alpha: float) -> OneLook:
    if kind is ScoreKind.PASS_FAIL:
        return classical.exact_mcnemar(int((good > 0).sum()), int((good < 0).sum()), alpha)
    if kind is ScoreKind.UNBOUNDED:
        return classical.wilcoxon(good)
    return classical.paired_t(good)
