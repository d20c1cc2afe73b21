"""What a frozen baseline is taken to be: a lower bound of its mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import beta

from streaming_eval.stats.mixture_bet import MixtureBet


def lower_bound(counts: ArrayLike, alpha: float) -> float:
    """A number on [0, 1] that exceeds the mean with probability at most alpha; 0 for no counts.

    For pass/fail, the exact binomial bound: Clopper, Pearson (1934), The use of confidence or
    fiducial limits illustrated in the case of the binomial. Otherwise one side of a mixture bet.
    How many scores there are must not depend on what they are.

    Args:
        counts: per level [K].
        alpha: in (0, 1/2).
    """
    n_at = np.asarray(counts, np.int64)
    n, best = int(n_at.sum()), int(n_at[-1])
    if n == 0:
        return 0.0
    if n_at.size == 2:
        return float(beta.ppf(alpha, best, n - best + 1)) if best else 0.0
    return MixtureBet(2 * alpha, expected_n=n).interval(n_at).lower
