"""A confidence sequence for a bounded mean, by a fixed mixture of constant bets."""

from __future__ import annotations

from dataclasses import dataclass
from math import log, log1p

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp, softmax

from streaming_eval.stats.interval import Interval
from streaming_eval.stats.levels import Floats, level_values, mean

_SHARES = np.exp(np.linspace(log(3e-4), log(0.95), 20))  # of the wealth that may be staked
_FLOOR = 0.2  # part of the prior spread evenly, which keeps every n within reach
_MOST_STEPS = 60
_CLOSE = 1e-11  # in log mean
_LOG_LEAST = -690.0  # a limit below exp of this is given as 0
_CELLS = 1 << 20  # rows are solved in blocks of at most this many (row, bet, level) cells


@dataclass(frozen=True, slots=True)
class MixtureBet:
    """Limits for the mean of scores that hold at every n at once with probability 1 - alpha.

    A gambler who doubts that the mean is m stakes a constant share f of his wealth on each score:
    if m were true, his wealth prod (1 + f (v/m - 1)) would be a nonnegative martingale. Wealth is
    averaged over 20 shares; the interval holds every m that neither this bet nor its mirror image
    has refuted by a factor 2 / alpha (Ville 1939, Etude critique de la notion de collectif).
    Valid for any dependence, as long as the mean of each score given its past is the same.

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

    def intervals(self, counts: ArrayLike) -> tuple[Floats, Floats]:
        """Lower and upper limits, one per row of counts [k, K]; [0, 1] where there is no count."""
        n_at = np.asarray(counts, np.float64)
        if n_at.ndim != 2 or n_at.shape[1] < 2 or (n_at < 0).any():
            raise ValueError("counts must be a table of numbers >= 0 with 2 or more levels")
        goal = log(2.0 / self.alpha)
        lower = lower_limits(n_at, self._log_prior(self.mean_guess), goal)
        # Seen from the other end, the best level is the worst and "greater" is "less".
        upper = 1.0 - lower_limits(n_at[:, ::-1], self._log_prior(1.0 - self.mean_guess), goal)
        return lower, upper

    def interval(self, counts: ArrayLike) -> Interval:
        """The limits for one row of counts [K].

        >>> MixtureBet(0.05, expected_n=1_000).interval([0, 0])
        Interval(lower=0.0, upper=1.0)
        """
        lower, upper = self.intervals(np.asarray(counts)[None, :])
        return Interval(float(lower[0]), float(upper[0]))

    def _log_prior(self, scale: float) -> Floats:
        """Log weight of each share: Gaussian in the stake, scaled for `expected_n`, over a floor.

        Args:
            scale: guess of the mean as seen from the end that the bet starts from.
        """
        odds = log(1.0 / self.alpha)
        precision = self.expected_n * self.variance_guess / (2.0 * odds + log1p(2.0 * odds))
        peaked = softmax(np.log(_SHARES) - (_SHARES / scale) ** 2 * precision / 2.0)
        log_prior: Floats = np.log((1.0 - _FLOOR) * peaked + _FLOOR / len(_SHARES))
        return log_prior


def lower_limits(counts: Floats, log_prior: Floats, goal: float) -> Floats:
    """Per row of counts [k, K], the largest m that "the mean is at most m" is refuted up to.

    Args:
        counts: per level, >= 0.
        log_prior: log weight of each share of `_SHARES`.
        goal: log wealth that refutes, > 0.
    """
    limits = np.zeros(len(counts))
    rows = np.flatnonzero(counts[:, 1:].any(axis=1))  # scores of 0 alone refute no mean
    block = max(1, _CELLS // (counts.shape[1] * len(_SHARES)))
    for first in range(0, len(rows), block):
        chosen = rows[first : first + block]
        log_m = _solve(counts[chosen], log_prior, goal)
        limits[chosen] = np.where(log_m > _LOG_LEAST, np.exp(log_m), 0.0)
    return limits


def _solve(counts: Floats, log_prior: Floats, goal: float) -> Floats:
    """Newton's method on log wealth as a function of log m, which is convex and falling.

    From a point left of the root every step stays left of it, and from the right the first step
    lands left: no bracket is needed, and a limit that is not quite reached is too low, never wrong.
    """
    average = mean(counts)
    radius = np.sqrt(2.0 * goal * (1.0 - average) / (average * counts.sum(axis=1)))
    log_m = np.log(average) - np.minimum(radius, 3.0)
    active = np.arange(len(counts))
    for _ in range(_MOST_STEPS):
        value, slope = _log_wealth(counts[active], log_m[active], log_prior)
        moved = np.maximum(log_m[active] + (goal - value) / slope, _LOG_LEAST)
        unsettled = np.abs(moved - log_m[active]) > _CLOSE
        log_m[active] = moved
        active = active[unsettled]
        if not active.size:
            break
    limits: Floats = np.minimum(log_m, np.log(average))
    return limits


def _log_wealth(counts: Floats, log_m: Floats, log_prior: Floats) -> tuple[Floats, Floats]:
    """Log of the mixture's wealth against the mean m, and its derivative by log m (< 0)."""
    odds = np.multiply.outer(np.exp(-log_m), level_values(counts.shape[1])[1:])  # v / m
    stakes = odds[:, None, :] * _SHARES[:, None]
    factors = stakes + (1.0 - _SHARES)[:, None]
    of_bet = np.einsum("kl,kjl->kj", counts[:, 1:], np.log(factors))
    of_bet += np.multiply.outer(counts[:, 0], np.log1p(-_SHARES)) + log_prior
    slopes = -np.einsum("kl,kjl->kj", counts[:, 1:], stakes / factors)
    value = logsumexp(of_bet, axis=1)
    return value, (np.exp(of_bet - value[:, None]) * slopes).sum(axis=1)
