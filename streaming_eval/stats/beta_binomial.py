"""A confidence sequence for a pass rate, by likelihood ratios averaged over beta distributions."""

from __future__ import annotations

from dataclasses import dataclass
from math import log, log1p

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaln, digamma

from streaming_eval.stats.interval import Interval
from streaming_eval.stats.levels import Floats, mean

# Weight of each beta distribution, by where it is tightest as a multiple of `expected_n`.
SPREAD = ((0.06, 0.25), (2.0, 0.75))
_MOST_STEPS = 60
_CLOSE = 1e-5  # a step of this share of the limit's distance errs by its square, some 1e-10
_LOG_LEAST = -690.0  # a limit below exp of this is given as 0
_LOG_MOST = -1e-300  # stands for the log of 1, where there would be nothing to divide by
_LEAST_SLOPE = -0.1  # where evidence hardly falls yet, a step left that is long, not infinite


@dataclass(frozen=True, slots=True)
class BetaBinomial:
    """Limits for a pass rate that hold at every n at once with probability 1 - alpha.

    Against the rate p, the ratio (q/p)^passes ((1-q)/(1-p))^fails is a martingale for every q, and
    so is its mean over q from beta(s p, s (1 - p)), which has a closed form. Two strengths s are
    averaged, so that few scores and the expected number and beyond are all served; the interval
    holds every p whose average has not reached 1 / alpha (Ville 1939, Etude critique de la notion
    de collectif). No guess of the rate is needed, since the distributions move with p.

    The log of each average is a sum of terms log(s + i/p) and log(s + i/(1-p)), i < n, so it is
    convex in p and in log p: the set is an interval.

    Valid for any dependence, as long as the rate given the past stays the same. For up to 10^12
    scores; beyond, rounding of doubles is as large as the interval.

    Sources: Howard, Ramdas, McAuliffe, Sekhon (2021), Time-uniform, nonparametric, nonasymptotic
    confidence sequences, for one beta distribution and its strength; the average is ours.

    Attributes:
        alpha: probability that the rate is ever outside, in (0, 1).
        expected_n: number of scores at which the interval shall be tightest.
        spread: (multiple of `expected_n`, weight) of each beta distribution; weights add up to 1.
    """

    alpha: float
    expected_n: float
    spread: tuple[tuple[float, float], ...] = SPREAD

    def __post_init__(self) -> None:
        if not 0.0 < self.alpha < 1.0:
            raise ValueError(f"alpha must lie in (0, 1), got {self.alpha}")
        if not self.expected_n >= 1.0:
            raise ValueError(f"expected_n must be 1 or more, got {self.expected_n}")
        if not abs(sum(weight for _, weight in self.spread) - 1.0) < 1e-9:
            raise ValueError(f"weights of spread must add up to 1, got {self.spread}")

    def intervals(self, counts: ArrayLike) -> tuple[Floats, Floats]:
        """Lower and upper limits, one per row of counts [k, 2]; [0, 1] where there is no count."""
        n_at = np.asarray(counts, np.float64)
        if n_at.ndim != 2 or n_at.shape[1] != 2 or (n_at < 0).any():
            raise ValueError("counts must be a table of numbers >= 0: fails and passes")
        fails, passes = n_at.T
        lower, upper = self._lower(passes, fails), 1.0 - self._lower(fails, passes)
        seen = mean(n_at)  # of huge counts, both limits are the rate itself up to rounding
        return np.fmin(lower, seen), np.fmax(upper, seen)

    def interval(self, counts: ArrayLike) -> Interval:
        """The limits for one row of counts, fails and passes.

        >>> BetaBinomial(0.05, expected_n=1_000).interval([0, 0])
        Interval(lower=0.0, upper=1.0)
        """
        lower, upper = self.intervals(np.asarray(counts)[None, :])
        return Interval(float(lower[0]), float(upper[0]))

    def log_evidence(self, passes: ArrayLike, fails: ArrayLike, rates: ArrayLike) -> Floats:
        """Log of the e-process against each rate; the rate is outside where it is log(1/alpha).

        Args:
            passes: number of passes, of any shape.
            fails: number of fails.
            rates: in (0, 1).
        """
        passed, failed, p = np.broadcast_arrays(
            *(np.asarray(a, np.float64) for a in (passes, fails, rates))
        )
        strengths, log_weights = self._strengths(), self._log_weights()
        of_each, *_ = _log_ratios(passed, failed, np.log(p), strengths, log_weights)
        most = of_each.max(axis=-1, keepdims=True)
        total: Floats = np.exp(of_each - most).sum(axis=-1)
        log_total: Floats = most[..., 0] + np.log(total)
        return log_total

    def _strengths(self) -> Floats:
        """Sizes of the beta distributions, counted in scores."""
        odds = log(1.0 / self.alpha)
        tightest = self.expected_n * np.array([multiple for multiple, _ in self.spread])
        strengths: Floats = np.maximum(tightest / (2.0 * odds + log1p(2.0 * odds)) - 1.0, 1e-3)
        return strengths

    def _log_weights(self) -> Floats:
        log_weights: Floats = np.log(np.array([weight for _, weight in self.spread]))
        return log_weights

    def _lower(self, passes: Floats, fails: Floats) -> Floats:
        """Per row, the largest rate below the one seen that is refuted, 0 where none is."""
        limits = np.zeros(len(passes))
        rows = np.flatnonzero(passes >= 2)  # a single pass never refutes a rate, however small
        log_p = _solved(
            passes[rows], fails[rows], self._strengths(), self._log_weights(), log(1.0 / self.alpha)
        )
        limits[rows] = np.where(log_p > _LOG_LEAST, np.exp(log_p), 0.0)
        return limits


def _solved(
    passes: Floats, fails: Floats, strengths: Floats, log_weights: Floats, goal: float
) -> Floats:
    """Newton's method on the log evidence as a function of log p, which is convex.

    From a point left of the root every step stays left of it, and from the right the first step
    lands left: no bracket is needed, and a limit that is not quite reached is too low, never wrong.
    """
    n = passes + fails
    log_mean = np.minimum(np.log1p(-fails / n), _LOG_MOST)
    spread = np.sqrt(2.0 * goal * fails / (passes * n)) + 1.0 / n
    log_p, active = log_mean - np.minimum(1.2 * spread, 3.0), np.arange(len(n))
    for _ in range(_MOST_STEPS):
        old = log_p[active]
        value, slope = _log_ratio(passes[active], fails[active], old, strengths, log_weights)
        step = (goal - value) / np.minimum(slope, _LEAST_SLOPE)
        moved = np.clip(old + step, _LOG_LEAST, log_mean[active])
        log_p[active] = moved
        active = active[np.abs(moved - old) > _CLOSE * (log_mean[active] - moved)]
        if not active.size:
            break
    return log_p


def _log_ratios(
    passes: Floats, fails: Floats, log_p: Floats, strengths: Floats, log_weights: Floats
) -> tuple[Floats, Floats, Floats]:
    """Log of each weighted likelihood ratio against the rates p, and the beta distributions."""
    passed, failed, x = passes[..., None], fails[..., None], log_p[..., None]
    p, q = np.exp(x), -np.expm1(x)
    a, b = strengths * p, strengths * q
    of_each = betaln(a + passed, b + failed) - betaln(a, b) - passed * x - failed * np.log(q)
    return of_each + log_weights, a, b


def _log_ratio(
    passes: Floats, fails: Floats, log_p: Floats, strengths: Floats, log_weights: Floats
) -> tuple[Floats, Floats]:
    """Log of the averaged likelihood ratio against the rates p, and its derivative by log p."""
    of_each, a, b = _log_ratios(passes, fails, log_p, strengths, log_weights)
    passed, failed, p = passes[..., None], fails[..., None], np.exp(log_p[..., None])
    q = -np.expm1(log_p[..., None])
    slopes = a * (digamma(a + passed) - digamma(a) - digamma(b + failed) + digamma(b))
    slopes += failed * p / q - passed
    most = of_each.max(axis=-1, keepdims=True)
    share = np.exp(of_each - most)
    total = share.sum(axis=-1)
    return most[..., 0] + np.log(total), (share * slopes).sum(axis=-1) / total
