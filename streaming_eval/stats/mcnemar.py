"""McNemar's test that may be looked at after every pair: who wins the pairs that differ?"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import betaincc, betaln, xlog1py, xlogy

from streaming_eval.stats.evidence import LOG_NOTHING
from streaming_eval.stats.interval import Interval
from streaming_eval.stats.levels import Floats


@dataclass(frozen=True, slots=True)
class McNemar:
    """Evidence from pass/fail pairs: equal pairs say nothing, so only those that differ count.

    If neither side is better, each pair that differs is lost with probability 1/2, whatever went
    before. The ratio of the likelihood, averaged over a Beta(a, a) prior of that probability, to
    the likelihood at 1/2 is then a nonnegative martingale. It is a function of two counts, so it
    does not depend on order or batches, and counts add. Cut to one half, the prior gives evidence
    against "own side is lost with probability at most 1/2", however much better it is: for
    t <= 1/2 < s the factor's mean t s / (1/2) + (1 - t) (1 - s) / (1/2) is at most 1.

    Sources: McNemar (1947), Note on the sampling error of the difference between correlated
    proportions or percentages; Ville (1939), Etude critique de la notion de collectif; mixtures as
    in Robbins (1970), Statistical methods related to the law of the iterated logarithm.

    Attributes:
        concentration: a of the prior, > 0: most weight on shares within 1 / sqrt(8 a) of 1/2.
            A poor choice costs samples, never validity.
    """

    concentration: float = 10.0

    def __post_init__(self) -> None:
        if not self.concentration > 0.0:
            raise ValueError(f"concentration must be above 0, got {self.concentration}")

    def log_evidence(self, won: ArrayLike, lost: ArrayLike, share: float = 0.5) -> Floats:
        """Log evidence against "a pair that differs is won with probability `share`".

        >>> round(float(McNemar().log_evidence(10, 40)), 3)
        6.109
        """
        w, n_lost, a = np.asarray(won, float), np.asarray(lost, float), self.concentration
        mixed = betaln(a + w, a + n_lost) - betaln(a, a)
        log_e: Floats = mixed - xlogy(w, share) - xlog1py(n_lost, -share)
        return log_e

    def log_evidence_worse(self, won: ArrayLike, lost: ArrayLike) -> Floats:
        """Log evidence against "own side wins at least half of the pairs that differ".

        For evidence against "at most half" give the counts the other way round.
        """
        w, n_lost, a = np.asarray(won, float), np.asarray(lost, float), self.concentration
        with np.errstate(divide="ignore"):
            one_sided = np.log(2.0 * betaincc(a + n_lost, a + w, 0.5))
        log_e: Floats = np.maximum(self.log_evidence(w, n_lost) + one_sided, LOG_NOTHING)
        return log_e

    def share_won(self, won: int, lost: int, alpha: float) -> Interval:
        """Limits for the share of differing pairs that is won, at all times at once: 1 - alpha.

        >>> McNemar().share_won(0, 0, 0.05)
        Interval(lower=0.0, upper=1.0)
        """
        if not won + lost:
            return Interval(0.0, 1.0)
        goal, seen = log(1.0 / alpha), won / (won + lost)

        def above(share: float) -> float:
            return float(self.log_evidence(won, lost, share)) - goal

        # Log evidence is convex in the share, lowest at the share seen. An end is within reach only
        # where a pair speaks against it, and then only as far as doubles can tell it from the end.
        least, most = 1e-300, 1.0 - 2.0**-53
        reaches_low, reaches_high = won > 0 and above(least) > 0.0, lost > 0 and above(most) > 0.0
        lower = brentq(above, least, seen, xtol=1e-12) if reaches_low else 0.0
        upper = brentq(above, seen, most, xtol=1e-12) if reaches_high else 1.0
        return Interval(float(lower), float(upper))


def differing(counts: ArrayLike) -> tuple[Floats, Floats]:
    """Pairs won and lost, from counts [..., 3] of a pass/fail difference series.

    >>> [int(n) for n in differing([4, 90, 6])]
    [6, 4]
    """
    n_at = np.asarray(counts, np.float64)
    if n_at.shape[-1] != 3:
        raise ValueError(f"pass/fail differences have 3 levels, got {n_at.shape[-1]}")
    return n_at[..., 2], n_at[..., 0]
