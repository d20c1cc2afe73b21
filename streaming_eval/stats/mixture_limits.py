"""Where a fixed mixture of constant bets reaches its goal: the limits of `MixtureBet`, in batches.

Everything here looks at one side, "the mean is more than m"; the other is the same on turned cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np

from streaming_eval.stats.grid import Grid
from streaming_eval.stats.levels import Counts, Floats

BETS = np.exp(np.linspace(log(3e-4), log(0.95), 20))  # shares of the wealth that may be staked
_MOST_STEPS = 60
_CLOSE = 1e-5  # a step of this share of the limit's distance errs by its square, some 1e-10
_LOG_LEAST = -690.0  # a limit below exp of this is given as 0
_BLOCK = 1 << 16  # (row, cell, bet) triples that are solved at once: as much as a cache holds
_COARSER = 4  # levels that become one in the grid that the first guess comes from


@dataclass(frozen=True, slots=True)
class Side:
    """Counts of some series as the bets "the mean is more than m" see them.

    At a score v of weight share u, bet f multiplies its wealth by (1 - f u) + f u v / m.

    Attributes:
        counts: [k, L] of the cells with v > 0 that occur at all.
        stakes: f u v of those cells [L, bets].
        rests: 1 - f u of those cells [L, bets].
        losses: log wealth after the prior and the cells with v = 0 [k, bets].
    """

    counts: Floats
    stakes: Floats
    rests: Floats
    losses: Floats

    @classmethod
    def of(cls, counts: Floats, grid: Grid, log_prior: Floats) -> Side:
        """The side of counts [k, cells], in any unit that adds up."""
        values, staked = grid.values, np.multiply.outer(grid.weights, BETS)
        worst, used = values == 0.0, (values > 0.0) & counts.any(axis=0)
        losses = np.einsum("kl,lj->kj", counts[:, worst], np.log1p(-staked[worst])) + log_prior
        stakes = staked[used] * values[used, None]
        return cls(counts[:, used], stakes, 1.0 - staked[used], losses)

    def rows(self, chosen: slice | Floats) -> Side:
        return Side(self.counts[chosen], self.stakes, self.rests, self.losses[chosen])

    def log_wealth(self, log_m: Floats) -> tuple[Floats, Floats]:
        """Log of the mixture's wealth against the means m [k], and its derivative by log m."""
        factors = np.exp(-log_m)[:, None, None] * self.stakes
        factors += self.rests
        of_bet = np.einsum("kl,klj->kj", self.counts, np.log(factors)) + self.losses
        np.divide(self.rests, factors, out=factors)
        slopes = np.einsum("kl,klj->kj", self.counts, factors)
        slopes -= self.counts.sum(axis=1)[:, None]
        most = of_bet.max(axis=1)
        share = np.exp(of_bet - most[:, None])
        total = share.sum(axis=1)
        return most + np.log(total), (share * slopes).sum(axis=1) / total


def lower_limits(counts: Floats, grid: Grid, log_prior: Floats, goal: float) -> Floats:
    """Per row of counts [k, cells], the largest m that "the mean is at most m" is refuted up to.

    Args:
        counts: per cell, >= 0.
        grid: what the cells are.
        log_prior: log weight of each bet.
        goal: log wealth that refutes, > 0.
    """
    limits = np.zeros(len(counts))
    rows = np.flatnonzero(counts[:, grid.values > 0.0].any(axis=1))  # zeros alone refute no mean
    block = max(1, _BLOCK // (grid.cells * len(BETS)))
    for first in range(0, len(rows), block):
        chosen = rows[first : first + block]
        log_m = _solved(counts[chosen], grid, log_prior, goal)
        limits[chosen] = np.where(log_m > _LOG_LEAST, np.exp(log_m), 0.0)
    return limits


def _solved(counts: Floats, grid: Grid, log_prior: Floats, goal: float) -> Floats:
    """Newton's method on log wealth as a function of log m, which is convex and falling.

    From a point left of the root every step stays left of it, and from the right the first step
    lands left: no bracket is needed, and a limit that is not quite reached is too low, never wrong.
    """
    log_mean = np.log(grid.mean(counts))
    log_m = _first_guess(counts, grid, log_prior, goal)
    side, active = Side.of(counts, grid, log_prior), np.arange(len(counts))
    for _ in range(_MOST_STEPS):
        value, slope = side.log_wealth(log_m[active])
        moved = np.maximum(log_m[active] + (goal - value) / slope, _LOG_LEAST)
        unsettled = np.abs(moved - log_m[active]) > _CLOSE * np.abs(log_mean[active] - moved)
        log_m[active] = moved
        active = active[unsettled]
        if not active.size:
            break
        side = side.rows(unsettled)
    limits: Floats = np.minimum(log_m, log_mean)
    return limits


def _first_guess(counts: Floats, grid: Grid, log_prior: Floats, goal: float) -> Floats:
    """On a fine grid the limit of a coarser one, else what a normal mean would have, nearly.

    Splitting each score between its two neighbours on a coarser grid keeps the mean and adds
    variance. The log of a factor is concave in v, so the coarser limit is never beyond the finer.
    """
    if grid.levels > _COARSER and (grid.levels - 1) % _COARSER == 0:
        coarse = Grid((grid.levels - 1) // _COARSER + 1, grid.shares)
        return _solved(coarsened(counts, grid, coarse), coarse, log_prior, goal)
    mass = counts * grid.weights
    total, average = mass.sum(axis=1), grid.mean(counts)
    gaps = (grid.values - average[:, None]) * grid.weights
    spread = np.sqrt((counts * gaps**2).sum(axis=1)) / (total * average)
    log_mean: Floats = np.log(average)
    guess: Floats = log_mean - np.minimum(1.2 * np.sqrt(2.0 * goal) * spread, 3.0)
    return guess


def coarsened(counts: Floats | Counts, grid: Grid, coarse: Grid) -> Floats:
    """Counts [k, cells] of a coarser grid with the same mean, of which every second, say, is left.

    Limits made of them are never narrower than those of the finer grid: see `_first_guess`. Exact,
    since every part is a multiple of 1/2 or 1/4.
    """
    ratio = (grid.levels - 1) // (coarse.levels - 1)
    steps = np.arange(grid.levels)[:, None] / ratio - np.arange(coarse.levels)
    parts = np.maximum(1.0 - np.abs(steps), 0.0)
    by_share = counts.reshape(-1, len(grid.shares), grid.levels)
    fewer: Floats = np.einsum("ksl,lc->ksc", by_share, parts).reshape(len(counts), -1)
    return fewer
