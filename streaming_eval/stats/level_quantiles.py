"""Confidence sequences for quantiles, read off the level counts that means are computed from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streaming_eval.stats.beta_binomial import BetaBinomial
from streaming_eval.stats.levels import Counts, Floats

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class QuantileLimits:
    """Quantiles of rows of counts, as shares of the way from the scale's low end to its high end.

    Attributes:
        values: of the sample, nearly [k, shares]; NaN where there is no count.
        lower: limits of the true quantiles [k, shares]; 0 is the low end, below which is nothing.
        upper: likewise; infinite where no finite limit can be said.
    """

    values: Floats
    lower: Floats
    upper: Floats


@dataclass(frozen=True, slots=True)
class LevelQuantiles:
    """Limits for quantiles that hold at every n at once, each with probability 1 - alpha.

    Let Q be a p-quantile. How many values lie at or below Q (of those equal to it any part, so that
    the rate is p exactly) is a count of passes at rate p, so with probability 1 - alpha it is at no
    n so small or so large that `BetaBinomial` refutes p (Howard, Ramdas (2022), Sequential
    estimation of quantiles with applications to A/B testing and best-arm identification; see
    `QuantileSequence`, which reads exact buckets). Write C(v) for the number of values at or below
    v. Then Q is not below any v for which C(v) is refuted as too small, and not above any v for
    which the number of values above it, n - C(v), is refuted as too small a part for 1 - p.

    Values are not kept, only how many were rounded to each level. A value between the levels v[i]
    and v[i + 1] went to one of these two, a value on a level stayed. So of c[i], the number of
    scores at level i or below,

        C(v[i]) <= c[i] <= number of values strictly below v[i + 1],

    whatever was drawn. Hence

    - where c[i] is too small, so is C(v[i]) (a smaller count of so many is refuted more strongly):
      Q >= v[i]. The lower limit is one level below the first i at which c[i] is not too small;
    - where n - c[i] is too small, so is the number of values at or above v[i + 1], which is no
      larger: Q <= v[i + 1]. The upper limit is one level above the first such i.

    Both are those of the exact values, moved outward by less than two levels; coverage is that of
    exact values, and owes nothing to the rounding being random. Values beyond the high end were
    counted at it, so no limit can be said that lies beyond: then the upper one is infinite.

    The value in between is the quantile of a distribution that rises evenly from the middle
    between two levels to the middle between the next: c[i] / n estimates the mean of the
    distribution function from v[i] to v[i + 1], by the odds of the rounding.

    Supported: unweighted scores. Not supported: weights, which are no counts.

    Attributes:
        shares: the p, each in (0, 1).
        alpha: probability that one quantile is ever outside its limits, in (0, 1).
        expected_n: number of scores at which limits shall be tightest.
    """

    shares: tuple[float, ...]
    alpha: float
    expected_n: float

    def __post_init__(self) -> None:
        if not all(0.0 < p < 1.0 for p in self.shares):
            raise ValueError(f"shares must lie in (0, 1), got {self.shares}")
        BetaBinomial(self.alpha, self.expected_n)

    def limits(self, counts: ArrayLike) -> QuantileLimits:
        """Quantiles of rows of counts [k, levels], whose levels rise in the quantity.

        >>> found = LevelQuantiles((0.5,), 0.05, expected_n=1_000).limits([[0, 500, 500, 0, 0]])
        >>> found.lower.tolist(), found.values.tolist(), found.upper.tolist()
        ([[0.0]], [[0.375]], [[0.75]])
        """
        n_at = np.asarray(counts, np.float64)
        if n_at.ndim != 2 or n_at.shape[1] < 2 or (n_at < 0).any():
            raise ValueError("counts must be a table of numbers >= 0 with 2 or more levels")
        at_most = n_at.cumsum(axis=1)
        shape, levels = (len(n_at), len(self.shares)), n_at.shape[1]
        p, n = np.asarray(self.shares), at_most[:, -1:]

        def reached(level: Counts) -> Bools:
            return ~self._too_few(np.take_along_axis(at_most, level, axis=1), n, p)

        def passed(level: Counts) -> Bools:
            return self._too_few(n - np.take_along_axis(at_most, level, axis=1), n, 1.0 - p)

        lower = np.maximum(_first(reached, shape, levels) - 1, 0) / (levels - 1)
        last = _first(passed, shape, levels) + 1
        upper = np.where(last < levels, last / (levels - 1), np.inf)
        return QuantileLimits(_of_sample(n_at, at_most, p), lower, upper)

    def _too_few(self, counted: Floats, n: Floats, rate: Floats) -> Bools:
        """Whether so many of n are refuted as too small a part for the rate."""
        bets = BetaBinomial(self.alpha, self.expected_n)
        refuted = bets.log_evidence(counted, n - counted, rate) >= log(1.0 / self.alpha)
        few: Bools = (counted < n * rate) & refuted
        return few


def _first(holds: Callable[[Counts], Bools], shape: tuple[int, int], levels: int) -> Counts:
    """The first level at which a condition holds that then goes on to hold; `levels` for none."""
    before, at = np.full(shape, -1), np.full(shape, levels)
    while (open_still := at - before > 1).any():
        middle = np.where(open_still, (before + at) // 2, 0)
        found = holds(middle)
        at = np.where(open_still & found, middle, at)
        before = np.where(open_still & ~found, middle, before)
    return at


def _of_sample(counts: Floats, at_most: Floats, p: Floats) -> Floats:
    """The share of the way at which the evenly rising distribution reaches p [k, shares]."""
    levels, n = counts.shape[1], at_most[:, -1:]
    wanted = n * p
    level = np.minimum((at_most[:, None, :] < wanted[:, :, None]).sum(axis=2), levels - 1)
    at_level = np.take_along_axis(counts, level, axis=1)
    below = np.take_along_axis(at_most, level, axis=1) - at_level
    part = np.divide(wanted - below, at_level, out=np.full(level.shape, np.nan), where=n > 0)
    found: Floats = np.clip(level - 0.5 + part, 0.0, levels - 1.0) / (levels - 1)
    return found
