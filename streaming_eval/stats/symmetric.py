"""Differences that are symmetric about 0 if neither side is better: evidence from two sums."""

from __future__ import annotations

from math import log, sqrt

from scipy.special import log_ndtr

from streaming_eval.stats.t_process import Sums


def log_evidence_worse(sums: Sums, prior_squares: float) -> float:
    """Log evidence against "no difference is likelier to be minus x than plus x".

    exp(s D - s^2 Q / 2), with D the sum of the negated differences and Q the sum of their squares,
    is a nonnegative supermartingale for every s >= 0, because cosh(x) <= exp(x^2 / 2); here s is
    averaged over a half-normal prior with variance 1 / `prior_squares`. Needs no variance, no
    bound and no order: two sums that add up. Slower than ranks where tails are heavy, since one
    huge difference makes Q huge.

    Source: de la Pena (1999), A general class of exponential inequalities for martingales and
    ratios; mixtures as in Robbins (1970), Statistical methods related to the law of the iterated
    logarithm.

    Args:
        sums: of own minus other's value, 1 = good.
        prior_squares: sum of squares at which evidence shall grow fastest, > 0, fixed before data.

    >>> round(log_evidence_worse(Sums(n=100, total=-30.0, squares=100.0), 100.0), 3)
    2.579
    """
    if not prior_squares > 0.0:
        raise ValueError(f"prior_squares must be above 0, got {prior_squares}")
    whole = prior_squares + sums.squares
    lost = -sums.total
    two_sided = 0.5 * log(prior_squares / whole) + lost * lost / (2.0 * whole)
    return two_sided + log(2.0) + float(log_ndtr(lost / sqrt(whole)))
