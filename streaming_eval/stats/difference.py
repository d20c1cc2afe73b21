"""How far two means lie apart: of independent series, of paired samples, and evidence for worse."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from streaming_eval.stats.grid import Grid
from streaming_eval.stats.interval import Interval
from streaming_eval.stats.levels import Floats
from streaming_eval.stats.mixture_bet import MixtureBet

_HALVINGS = 50


def independent_difference(mean: Interval, other: Interval) -> Interval:
    """Limits of mean minus other's mean, where each interval has half of the error (Bonferroni).

    >>> independent_difference(Interval(0.5, 0.75), Interval(0.75, 1.0))
    Interval(lower=-0.5, upper=0.0)
    """
    return Interval(mean.lower - other.upper, mean.upper - other.lower)


def paired_difference(counts: ArrayLike, bet: MixtureBet) -> Interval:
    """Limits of the mean of own minus other's score on the same sample, in units of the range.

    Far narrower than for independent series where the two agree on most samples: only samples on
    which they differ add variance.

    Args:
        counts: of one series of differences [K], placed by `Scale.difference()`: the first level
            is -1, the last one 1.
        bet: best with a mean guess of 1/2, no difference, and a quarter of the variance of
            differences that is expected.

    >>> bet = MixtureBet(0.05, expected_n=1_000, mean_guess=0.5, variance_guess=0.05)
    >>> found = paired_difference([100, 880, 20], bet)
    >>> f"{found.lower:.2f} {found.upper:.2f}"
    '-0.11 -0.05'
    """
    found = bet.interval(counts)
    return Interval(2.0 * found.lower - 1.0, 2.0 * found.upper - 1.0)


def log_evidence_of_drop(
    current: ArrayLike, baseline: ArrayLike, bet: MixtureBet, grid: Grid | None = None
) -> Floats:
    """Log of an e-process against "current's mean is at least baseline's", one per row.

    Let c >= b be the true means. The bets "current's mean is less than c" and "baseline's mean is
    more than b" are martingales, and so is their product when neither is told of the other's next
    score. The first grows with the mean m that it doubts, the second falls, so at any m between b
    and c their product is at most that martingale, and its least over all m is too. That least is
    what is returned, whoever the true means are. Reject at log(1 / alpha), at any time.

    The idea of least over the common value is that of Howard, Ramdas (2022), Sequential estimation
    of quantiles with applications to A/B testing and best-arm identification, for quantiles.

    Args:
        current: counts [k, cells].
        baseline: counts [k, cells], of independent samples.
        bet: its alpha only scales the stakes.
        grid: what the cells are; levels when not given.
    """
    less, more = bet.sides(current, grid)[1], bet.sides(baseline, grid)[0]
    # The sum is convex in m: halve on its slope; what a tangent may still miss is taken off.
    low = np.zeros(len(less.counts))
    width = 1.0
    for _ in range(_HALVINGS):
        width /= 2.0
        middle = low + width
        falling, slope = less.log_wealth(np.log1p(-middle)), more.log_wealth(np.log(middle))
        rises = slope[1] / middle - falling[1] / (1.0 - middle)
        low = np.where(rises < 0.0, middle, low)
    evidence: Floats = falling[0] + slope[0] - np.abs(rises) * width
    return evidence
