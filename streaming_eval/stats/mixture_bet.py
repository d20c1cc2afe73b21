"""A confidence sequence for a bounded mean, by a fixed mixture of constant bets."""

from __future__ import annotations

from dataclasses import dataclass
from math import log, log1p

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import softmax

from streaming_eval.stats.grid import Grid
from streaming_eval.stats.interval import Interval
from streaming_eval.stats.levels import Floats
from streaming_eval.stats.mixture_limits import BETS, Side, lower_limits

_FLOOR = 0.2  # part of the prior spread evenly, which keeps every n within reach


@dataclass(frozen=True, slots=True)
class MixtureBet:
    """Limits for the mean of scores that hold at every n at once with probability 1 - alpha.

    A gambler who doubts that the mean is m stakes a constant share f of his wealth on each score:
    if m were true, his wealth prod (1 + f (v/m - 1)) would be a nonnegative martingale. Wealth is
    averaged over 20 shares; the interval holds every m that neither this bet nor its mirror image
    has refuted by a factor 2 / alpha (Ville 1939, Etude critique de la notion de collectif).
    Valid for any dependence, as long as the mean of each score given its past is the same.

    Where scores carry weights, the mean is the weighted one: wealth is then multiplied by
    1 + f u (v/m - 1), u being the weight's share of the largest, which is a martingale when
    E[u (v - m)] given the past is 0. With the same weight u everywhere, stakes are f u, no more.

    Sources: Waudby-Smith, Ramdas (2024), Estimating means of bounded random variables by betting;
    Orabona, Jun (2024), Tight concentrations and confidence sequences from the regret of universal
    portfolio; prior scale of Howard, Ramdas, McAuliffe, Sekhon (2021), Time-uniform, nonparametric,
    nonasymptotic confidence sequences.

    Attributes:
        alpha: probability that the mean is ever outside, in (0, 1).
        expected_n: number of scores at which the interval shall be tightest.
        mean_guess: of the mean, in (0, 1); a bad guess costs width, never validity.
        variance_guess: of the scores' variance, in (0, 1/4].
    """

    alpha: float
    expected_n: float
    mean_guess: float = 0.8
    variance_guess: float = 0.16

    def __post_init__(self) -> None:
        if not 0.0 < self.alpha < 1.0:
            raise ValueError(f"alpha must lie in (0, 1), got {self.alpha}")
        if not self.expected_n >= 1.0:
            raise ValueError(f"expected_n must be 1 or more, got {self.expected_n}")
        if not 0.0 < self.mean_guess < 1.0:
            raise ValueError(f"mean_guess must lie in (0, 1), got {self.mean_guess}")
        if not 0.0 < self.variance_guess <= 0.25:
            raise ValueError(f"variance_guess must lie in (0, 1/4], got {self.variance_guess}")

    def intervals(self, counts: ArrayLike, grid: Grid | None = None) -> tuple[Floats, Floats]:
        """Lower and upper limits, one per row of counts; [0, 1] where there is no count.

        Args:
            counts: [k, cells], >= 0.
            grid: what the cells are; each its own level of an unweighted grid when not given.
        """
        n_at, grid = _table(counts, grid)
        goal = log(2.0 / self.alpha)
        lower = lower_limits(n_at, grid, self._log_prior(self.mean_guess), goal)
        turned = _turned(n_at, grid)
        upper = 1.0 - lower_limits(turned, grid, self._log_prior(1.0 - self.mean_guess), goal)
        seen = grid.mean(n_at)  # of huge counts, both limits are the mean itself up to rounding
        return np.fmin(lower, seen), np.fmax(upper, seen)

    def interval(self, counts: ArrayLike, grid: Grid | None = None) -> Interval:
        """The limits for one row of counts [cells].

        >>> MixtureBet(0.05, expected_n=1_000).interval([0, 0])
        Interval(lower=0.0, upper=1.0)
        """
        lower, upper = self.intervals(np.asarray(counts)[None, :], grid)
        return Interval(float(lower[0]), float(upper[0]))

    def log_evidence(
        self, counts: ArrayLike, means: ArrayLike, grid: Grid | None = None
    ) -> tuple[Floats, Floats]:
        """Log wealth against each mean, of the bets that it is more and of those that it is less.

        `means` is outside the interval where either reaches log(2 / alpha). Each is an e-process
        under "the mean is m", the first also under "at most m", the second under "at least m".

        Args:
            counts: [k, cells], >= 0.
            means: one per row, in (0, 1).
            grid: as for `intervals`.
        """
        more, less = self.sides(counts, grid)
        m = np.broadcast_to(np.asarray(means, np.float64), len(more.counts))
        return more.log_wealth(np.log(m))[0], less.log_wealth(np.log1p(-m))[0]

    def sides(self, counts: ArrayLike, grid: Grid | None = None) -> tuple[Side, Side]:
        """Counts as seen by the bets "more than m", and by "less than m": more than 1 - m, turned.

        Args:
            counts: [k, cells], >= 0.
            grid: as for `intervals`.
        """
        n_at, grid = _table(counts, grid)
        more = Side.of(n_at, grid, self._log_prior(self.mean_guess))
        less = Side.of(_turned(n_at, grid), grid, self._log_prior(1.0 - self.mean_guess))
        return more, less

    def _log_prior(self, scale: float) -> Floats:
        """Log weight of each bet: Gaussian in the stake, scaled for `expected_n`, over a floor.

        Args:
            scale: guess of the mean as seen from the end that the bet starts from.
        """
        odds = log(1.0 / self.alpha)
        precision = self.expected_n * self.variance_guess / (2.0 * odds + log1p(2.0 * odds))
        peaked = softmax(np.log(BETS) - (BETS / scale) ** 2 * precision / 2.0)
        log_prior: Floats = np.log((1.0 - _FLOOR) * peaked + _FLOOR / len(BETS))
        return log_prior


def _table(counts: ArrayLike, grid: Grid | None) -> tuple[Floats, Grid]:
    n_at = np.asarray(counts, np.float64)
    if n_at.ndim != 2 or n_at.shape[1] < 2 or (n_at < 0).any():
        raise ValueError("counts must be a table of numbers >= 0 with 2 or more levels")
    grid = grid or Grid(n_at.shape[1])
    if n_at.shape[1] != grid.cells:
        raise ValueError(f"counts must have {grid.cells} cells, got {n_at.shape[1]}")
    return n_at, grid


def _turned(counts: Floats, grid: Grid) -> Floats:
    """Counts seen from the other end: the best level is the worst, weights stay as they are."""
    by_share = counts.reshape(len(counts), len(grid.shares), grid.levels)
    return by_share[:, :, ::-1].reshape(counts.shape)
