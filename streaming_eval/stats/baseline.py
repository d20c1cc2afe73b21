"""What a frozen baseline is taken to be: a lower and an upper bound of its mean, never its mean.

A mean that is taken as known when it is only estimated makes false alarms of its own error. With
its bound, a false alarm needs the bound to be wrong, or the detector: the two chances add
(Podkopaev, Ramdas (2022), Tracking the risk of a deployed model and detecting harmful distribution
shifts). What the bound gives away is taken from every change: hence `FEW`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv

from streaming_eval.stats.grid import Grid
from streaming_eval.stats.levels import Counts, Floats
from streaming_eval.stats.mixture_bet import MixtureBet

# A drop from .90 to .85 is found 1.4 times as late as with a known baseline where there are 10,000
# scores, 1.5 times with 5,000, 2 times with 2,000 and 9 times with 500: below this the bound eats
# the drop (`make bench-stats ARGS="--only pinned"`).
FEW = 5_000


def lower_bound(counts: ArrayLike, alpha: float, grid: Grid | None = None) -> float:
    """A number on [0, 1] that exceeds the mean with probability at most alpha; 0 for no counts.

    For pass/fail, the exact binomial bound: Clopper, Pearson (1934), The use of confidence or
    fiducial limits illustrated in the case of the binomial. Otherwise one side of a mixture bet.
    How many scores there are must not depend on what they are.

    Args:
        counts: per level [K], or per cell of `grid`.
        alpha: in (0, 1/2).
        grid: what the cells stand for; None for levels of equal weight.
    """
    n_at = np.asarray(counts, np.int64)
    if not n_at.any():
        return 0.0
    if n_at.size == 2 and grid in (None, Grid(2)):
        return float(share_bounds(n_at, alpha)[0][1])
    return _interval_lower(n_at, alpha, grid)


def upper_bound(counts: ArrayLike, alpha: float, grid: Grid | None = None) -> float:
    """A number on [0, 1] that the mean exceeds with probability at most alpha; 1 for no counts.

    The mirror image of `lower_bound`, for detectors of rises.

    >>> upper_bound([1, 9], 0.05) == 1 - lower_bound([9, 1], 0.05)
    True
    """
    mirrored = np.asarray(counts, np.int64)
    rows = mirrored.reshape(-1, grid.levels if grid else mirrored.size)
    return 1.0 - lower_bound(rows[:, ::-1].ravel(), alpha, grid)


def share_bounds(counts: ArrayLike, alpha: float) -> tuple[Floats, Floats]:
    """Per cell, a lower and an upper bound of its share, each wrong with probability <= alpha.

    Clopper and Pearson's bounds of each cell against all others; [0, 1] where there is no count.

    Args:
        counts: per cell [K].
        alpha: of one bound of one cell: all 2 K hold with probability 1 - 2 K alpha.
    """
    n_at = np.asarray(counts, np.float64)
    others = n_at.sum() - n_at
    lower = np.where(n_at > 0, betaincinv(np.maximum(n_at, 1.0), others + 1.0, alpha), 0.0)
    upper = 1.0 - np.where(others > 0, betaincinv(np.maximum(others, 1.0), n_at + 1.0, alpha), 0.0)
    return lower, upper


def missing(counts: ArrayLike, needed: int) -> int:
    """How many scores a baseline of `needed` scores still lacks; 0 once it is complete.

    >>> missing([100, 900], needed=5_000)
    4000
    """
    return max(0, needed - int(np.asarray(counts, np.int64).sum()))


def _interval_lower(counts: Counts, alpha: float, grid: Grid | None) -> float:
    bet = MixtureBet(2 * alpha, expected_n=int(counts.sum()))
    return bet.interval(counts, grid).lower
