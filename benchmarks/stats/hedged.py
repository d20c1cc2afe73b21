"""A published interval to compare with: hedged capital, whose bets adapt to every score.

Waudby-Smith, Ramdas (2024), Estimating means of bounded random variables by betting, written from
the paper, with the choices of its authors' package: each side has half of the wealth, stakes are
cut at half of what may be lost. Intervals are not intersected over time, nor are ours: that would
make either some percent narrower, and wrong as soon as a mean moves.
"""

from __future__ import annotations

from math import log

import numpy as np

from streaming_eval.stats.levels import Floats

_CUT = 0.5
_HALVINGS = 40


def hedged_limits(scores: Floats, alpha: float) -> tuple[float, float]:
    """Lower and upper limit after all scores on [0, 1], in their order."""
    return _lower(scores, alpha), 1.0 - _lower(1.0 - scores, alpha)


def hedged_evidence(scores: Floats, mean: float, alpha: float) -> float:
    """Log of the hedged capital against a mean, after all scores."""
    more, less = (_log_capital(x, m, alpha)[-1] for x, m in _both(scores, mean))
    return max(float(more), float(less))


def _both(scores: Floats, mean: float) -> tuple[tuple[Floats, float], tuple[Floats, float]]:
    return (scores, mean), (1.0 - scores, 1.0 - mean)


def _log_capital(scores: Floats, mean: float, alpha: float) -> Floats:
    """Log of half the capital of the bets "the mean is more", after every score."""
    stakes = np.minimum(_stakes(scores, alpha), _CUT / mean)
    capital: Floats = np.log1p(stakes * (scores - mean)).cumsum() + log(0.5)
    return capital


def _stakes(scores: Floats, alpha: float) -> Floats:
    """Predictable plug-in stakes: by the mean and variance of the scores before."""
    n = np.arange(1, len(scores) + 1)
    means = (0.5 + scores.cumsum()) / (n + 1)
    variances = (0.25 + ((scores - means) ** 2).cumsum()) / (n + 1)
    before = np.append(0.25, variances[:-1])
    stakes: Floats = np.sqrt(2.0 * log(2.0 / alpha) / (before * n * np.log1p(n)))
    return stakes


def _lower(scores: Floats, alpha: float) -> float:
    """Capital falls with the mean it doubts, so that halving finds where it is too small."""
    low, high = 1e-9, float(scores.mean()) if scores.any() else 1e-9
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        if _log_capital(scores, middle, alpha)[-1] >= log(1.0 / alpha):
            low = middle
        else:
            high = middle
    return low
