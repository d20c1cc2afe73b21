"""Wilcoxon's signed-rank idea as bets: big differences count more, by rank and not by size."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streaming_eval.stats.levels import Floats
from streaming_eval.stats.stakes import SHARES, log_wealth

_BETS = len(SHARES)
_LOG_RATIO = log(1.02)  # width of a bucket of magnitudes


@dataclass(frozen=True, slots=True)
class SignedRank:
    """Evidence from differences that may have tails of any weight.

    Each difference's size is revealed first and its sign is bet on: wealth becomes
    1 - f sign(d) F(|d|) times what it was, F being the share of earlier differences that are
    smaller. While minus is no likelier than plus, whatever the size, that is a nonnegative
    supermartingale for each share f; 12 shares are averaged, for "worse" and mirrored for "better".
    Differences of 0 change nothing.

    F is taken from the batches before, so within a batch order does not matter, and across batches
    it does: another cut of the same series gives other evidence, equally valid, as long as where
    a batch ends does not depend on the signs in it.

    Sources: Wilcoxon (1945), Individual comparisons by ranking methods; betting on signs as in
    Ramdas, Ruf, Larsson, Koolen (2020), Admissible anytime-valid sequential inference must rely on
    nonnegative martingales.

    Attributes:
        buckets: numbers of the logarithmic buckets (ratio 1.02) of sizes seen, increasing.
        counts: differences in each of them.
        log_worse: log wealth of each bet on minus.
        log_better: log wealth of each bet on plus.
    """

    buckets: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()
    log_worse: tuple[float, ...] = (0.0,) * _BETS
    log_better: tuple[float, ...] = (0.0,) * _BETS

    def update(self, differences: ArrayLike) -> SignedRank:
        """The state after one batch of differences, 1 = good."""
        d = np.asarray(differences, np.float64)
        d = d[d != 0.0]
        if not d.size:
            return self
        bucket = np.ceil(np.log(np.abs(d)) / _LOG_RATIO).astype(np.int64)
        stakes = np.multiply.outer(np.sign(d) * self._ranks(bucket), SHARES)
        buckets, counts = self._with(bucket)
        return SignedRank(
            buckets=tuple(buckets.tolist()),
            counts=tuple(counts.tolist()),
            log_worse=tuple((np.array(self.log_worse) + np.log1p(-stakes).sum(axis=0)).tolist()),
            log_better=tuple((np.array(self.log_better) + np.log1p(stakes).sum(axis=0)).tolist()),
        )

    def log_evidence_worse(self) -> float:
        """Log evidence against "no difference is likelier to be minus x than plus x"."""
        return float(log_wealth(np.array(self.log_worse)))

    def log_evidence_better(self) -> float:
        """Log evidence against "no difference is likelier to be plus x than minus x"."""
        return float(log_wealth(np.array(self.log_better)))

    def _ranks(self, bucket: NDArray[np.int64]) -> Floats:
        """Share of the earlier sizes below each bucket, half of its own with them; 1/2 at first."""
        known, counts = np.array(self.buckets, np.int64), np.array(self.counts, np.int64)
        below = np.concatenate([[0], counts.cumsum()])
        left = below[np.searchsorted(known, bucket, side="left")]
        right = below[np.searchsorted(known, bucket, side="right")]
        ranks: Floats = ((left + right) / 2.0 + 0.5) / (below[-1] + 1.0)
        return ranks

    def _with(self, bucket: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        together = np.concatenate([np.array(self.buckets, np.int64), bucket])
        times = np.concatenate([np.array(self.counts, np.int64), np.ones(bucket.size, np.int64)])
        buckets, place = np.unique(together, return_inverse=True)
        return buckets, np.bincount(place, weights=times).astype(np.int64)
