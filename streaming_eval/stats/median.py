"""Limits for a median that hold at every moment, from the values themselves."""

from __future__ import annotations

from math import inf, log

import numpy as np
from numpy.typing import ArrayLike

from streaming_eval.stats.interval import Interval
from streaming_eval.stats.mcnemar import McNemar

_SIGNS = McNemar()


def median_interval(values: ArrayLike, alpha: float) -> Interval:
    """Limits for the median of independent values, at all times at once with probability 1 - alpha.

    At least half of the values lie at or above the median in the long run. A candidate that too few
    values lie above, by a factor 2 / alpha of evidence, is refuted, and likewise below; what is
    left lies between two order statistics. No assumption on tails or shape; ties are allowed.

    Source: the idea of Howard, Ramdas (2022), Sequential estimation of quantiles with applications
    to A/B testing and best-arm identification, with the bets of `McNemar`.

    Args:
        values: in any order.
        alpha: probability that the median is ever outside.
    """
    ordered = np.sort(np.asarray(values, np.float64))
    n = ordered.size
    if not n:
        return Interval(-inf, inf)
    few = np.arange(n // 2 + 1)
    # Evidence falls as the few become more, so the refuted ones come first.
    refuted = int((_SIGNS.log_evidence_worse(few, n - few) >= log(2.0 / alpha)).sum())
    if not refuted:
        return Interval(-inf, inf)
    return Interval(float(ordered[refuted - 1]), float(ordered[n - refuted]))
