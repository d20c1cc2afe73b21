"""Bounded differences of pairs: evidence that their mean is below 0, and limits for the mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from streaming_eval.stats.evidence import LOG_NOTHING
from streaming_eval.stats.interval import Interval
from streaming_eval.stats.levels import Floats, level_values
from streaming_eval.stats.mixture_bet import MixtureBet
from streaming_eval.stats.stakes import SHARES, log_wealth

# On [0, 1]. Most pairs of two similar models differ little; a bad guess costs width, not validity.
_VARIANCE_GUESS = 0.04


def log_evidence_worse(counts: ArrayLike) -> Floats:
    """Log evidence against "the mean difference is 0 or more", from counts [..., K].

    Levels are those of `Scale.difference()`: from -1 (worst) to 1 (best) as shares of the range,
    0 in the middle. Wealth prod (1 - f d) is a nonnegative supermartingale while the mean of each
    difference given the past is 0 or more; it is averaged over 12 shares f. A function of counts,
    so order and batches do not matter. For evidence of "better" turn the counts round.

    Source: Waudby-Smith, Ramdas (2024), Estimating means of bounded random variables by betting,
    with constant bets as in Orabona, Jun (2024), Tight concentrations and confidence sequences
    from the regret of universal portfolio.

    >>> round(float(log_evidence_worse([40, 0, 10])), 3)
    7.753
    """
    n_at = np.asarray(counts, np.float64)
    differences = 2.0 * level_values(n_at.shape[-1]) - 1.0
    log_factors = np.log1p(-np.multiply.outer(differences, SHARES))
    log_e: Floats = np.maximum(log_wealth(n_at @ log_factors), LOG_NOTHING)
    return log_e


def mean_interval(counts: ArrayLike, alpha: float, expected_n: float) -> Interval:
    """Limits for the mean difference on [0, 1], where 1/2 is none, at all times at once.

    Args:
        counts: of the differences' levels [K].
        alpha: probability that the mean is ever outside.
        expected_n: number of pairs at which the interval shall be tightest.
    """
    bet = MixtureBet(alpha, expected_n, mean_guess=0.5, variance_guess=_VARIANCE_GUESS)
    return bet.interval(counts)
