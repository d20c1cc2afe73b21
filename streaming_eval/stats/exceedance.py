"""Latency and cost as pass/fail: how often a limit is exceeded, whatever the tail looks like.

A mean of latencies has no bound and no exact alarm; the share beyond a limit is a pass rate. Counts
come from buckets of values (log buckets, most often). A limit at the upper edge of a bucket splits
them exactly, so a limit in between is moved up to its bucket's edge, before any data is read.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binom

from streaming_eval.stats.baseline import lower_bound
from streaming_eval.stats.e_detector import BOLDEST, LEAST, EDetector
from streaming_eval.stats.levels import Counts

# How many times as common exceedances become; each bet grows fastest at one of these.
_RATIOS = np.array([1.1, 1.2, 1.35, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0, 20.0])


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of a quantity and how often it is kept when all is well; frozen with the baseline.

    Attributes:
        bucket: index of the last bucket whose values keep the limit.
        kept: smallest share of scores within it that is not worse, on [0, 1].
    """

    bucket: int
    kept: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.kept <= 1.0:
            raise ValueError(f"kept must lie in [0, 1], got {self.kept}")

    @property
    def detector(self) -> EDetector:
        """Bets that the limit is exceeded more often than by a share 1 - `kept`.

        The stakes are those of likelihood ratios between exceedances at 1 - kept and some times
        that, 1.1 to 20: a shift by so many points would say nothing at the 99th percentile.
        """
        stakes = (_RATIOS - 1.0) / max(self.kept, LEAST)
        boldest = BOLDEST / max(1.0 - self.kept, LEAST)
        return EDetector(self.kept, tuple(np.minimum(stakes, boldest).tolist()))

    def pass_fail(self, buckets: ArrayLike, counts: ArrayLike) -> Counts:
        """Counts [..., 2] of scores beyond the limit and within it: the levels of a pass rate.

        Args:
            buckets: bucket indices [K], larger ones for larger values; they need not be sorted.
            counts: scores per bucket [..., K].

        >>> Limit(bucket=7, kept=0.95).pass_fail([6, 7, 8], [10, 5, 3]).tolist()
        [3, 15]
        """
        n_at = np.asarray(counts, np.int64)
        within = np.asarray(buckets, np.int64) <= self.bucket
        return np.stack([n_at[..., ~within].sum(-1), n_at[..., within].sum(-1)], axis=-1)


def agreed_limit(bucket: int, buckets: ArrayLike, counts: ArrayLike, alpha: float) -> Limit:
    """A limit set beforehand (an objective), kept as often as the baseline surely keeps it.

    Args:
        bucket: last bucket within the limit, chosen without looking at the baseline.
        buckets: bucket indices [K] of the baseline.
        counts: its scores per bucket [K].
        alpha: probability that the baseline keeps the limit less often than said.
    """
    return Limit(bucket, lower_bound(Limit(bucket, 1.0).pass_fail(buckets, counts), alpha))


def quantile_limit(p: float, buckets: ArrayLike, counts: ArrayLike, alpha: float) -> Limit | None:
    """The limit at the upper confidence limit of the baseline's p-quantile; None for few scores.

    The k-th smallest of n scores lies below the p-quantile only if k of them do, which has
    probability P(Binomial(n, p) >= k) at most: with the smallest k that makes this alpha or less, a
    share p keeps the limit, up to that error (Wilks (1941), Determination of sample sizes for
    setting tolerance limits). Nothing else is estimated: `kept` is p itself.

    Args:
        p: in (0, 1).
        buckets: bucket indices [K] of the baseline, increasing.
        counts: its scores per bucket [K].
        alpha: probability that less than a share p keeps the limit.

    >>> quantile_limit(0.99, [1, 2], [150, 150], alpha=0.05)
    Limit(bucket=2, kept=0.99)
    >>> quantile_limit(0.99, [1, 2], [100, 100], alpha=0.05) is None
    True
    """
    n_at = np.asarray(counts, np.int64)
    n = int(n_at.sum())
    rank = int(binom.isf(alpha, n, p)) + 1  # P(Binomial >= rank) <= alpha
    if n == 0 or rank > n:
        return None
    first = int(np.searchsorted(n_at.cumsum(), rank))
    return Limit(int(np.asarray(buckets, np.int64)[first]), p)


def needed(p: float, alpha: float) -> int:
    """How many scores a baseline needs before `quantile_limit` can name a limit.

    >>> needed(0.99, alpha=0.05)
    299
    """
    return int(np.ceil(np.log(alpha) / np.log(p)))
