"""Which shares of the wealth are staked on a pair, and how much trust each one gets."""

from __future__ import annotations

from math import log

import numpy as np
from scipy.special import logsumexp

from streaming_eval.stats.levels import Floats

# The best share is the mean of the payoff over its mean square: .4 where 13 % of pass/fail pairs
# differ and 9 % are lost, .1 to .4 for most differences that a few thousand pairs can show.
SHARES: Floats = np.exp(np.linspace(log(0.01), log(0.95), 12))
_PRECISION = 10.0  # of the Gaussian in the share that most of the trust follows
_FLOOR = 0.2  # part of the trust spread evenly, which keeps small and large effects within reach


def _log_prior() -> Floats:
    peaked = SHARES * np.exp(-(SHARES**2) * _PRECISION / 2.0)
    log_prior: Floats = np.log((1.0 - _FLOOR) * peaked / peaked.sum() + _FLOOR / len(SHARES))
    return log_prior


LOG_PRIOR: Floats = _log_prior()


def log_wealth(of_shares: Floats) -> Floats:
    """Log wealth of all bets together, from the log wealth of each share (the last axis).

    >>> float(log_wealth(np.zeros(12)).round(12))
    0.0
    """
    together: Floats = np.asarray(logsumexp(of_shares + LOG_PRIOR, axis=-1))
    return together
