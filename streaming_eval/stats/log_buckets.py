"""Latencies, costs and lengths as counts in buckets whose edges grow by 2%."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import ArrayLike

from streaming_eval.stats.interval import Interval
from streaming_eval.stats.levels import Counts, Floats

RATIO = 1.02
LEAST = 1e-6
_EDGES_NEEDED = 1_746  # from LEAST to more than 10^9


def _edges() -> Floats:
    """By multiplication alone, which every machine does alike, so that counts may be merged."""
    ratios = (RATIO for _ in range(_EDGES_NEEDED - 1))
    return np.array(list(accumulate(ratios, lambda edge, ratio: edge * ratio, initial=LEAST)))


EDGES = _edges()


def bucket_of(values: ArrayLike) -> Counts:
    """The bucket of each value: i holds those above EDGES[i - 1] up to EDGES[i].

    Bucket 0 begins with 0 itself, the last one has no end.

    Raises:
        ValueError: a value is negative or not finite.
    """
    x = np.asarray(values, np.float64)
    if not (np.isfinite(x) & (x >= 0.0)).all():
        raise ValueError("values must be finite numbers >= 0")
    return np.searchsorted(EDGES, x, side="left").astype(np.int64)


def edges_of(bucket: int) -> Interval:
    """What a bucket may hold: more than `lower` (or 0 itself), `upper` at most.

    >>> edges_of(0)
    Interval(lower=0.0, upper=1e-06)
    """
    lower = float(EDGES[bucket - 1]) if bucket > 0 else 0.0
    upper = float(EDGES[bucket]) if bucket < len(EDGES) else float("inf")
    return Interval(lower, upper)


@dataclass(frozen=True, slots=True)
class LogBuckets:
    """Numbers of values per bucket, of the buckets that hold any.

    How many values are at most an edge is exact; within a bucket nothing is known. Equal contents
    are equal records, whatever the order, batches or partitions they came in.

    Source of the layout: Masson, Rim, Lee (2019), DDSketch: a fast and fully-mergeable quantile
    sketch with relative-error guarantees.

    Attributes:
        buckets: increasing.
        counts: of each of `buckets`, > 0.
    """

    buckets: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()

    @classmethod
    def of(cls, values: ArrayLike) -> LogBuckets:
        """The counts of finite values >= 0.

        >>> LogBuckets.of([0.0, 1.0, 1.0]).counts
        (1, 2)
        """
        buckets, counts = np.unique(bucket_of(values), return_counts=True)
        return cls(tuple(buckets.tolist()), tuple(counts.tolist()))

    def merge(self, other: LogBuckets) -> LogBuckets:
        together = dict(zip(self.buckets, self.counts, strict=True))
        for bucket, count in zip(other.buckets, other.counts, strict=True):
            together[bucket] = together.get(bucket, 0) + count
        ordered = sorted(together.items())
        return LogBuckets(tuple(b for b, _ in ordered), tuple(c for _, c in ordered))

    @property
    def n(self) -> int:
        return sum(self.counts)

    def at_most(self, edge: int) -> int:
        """How many values are at most EDGES[edge]."""
        return sum(c for b, c in zip(self.buckets, self.counts, strict=True) if b <= edge)

    def holding(self, rank: int) -> Interval:
        """Edges of the bucket that holds the value of a rank, 1 for the smallest up to n."""
        if not 1 <= rank <= self.n:
            raise ValueError(f"rank must be 1 to {self.n}, got {rank}")
        place = np.searchsorted(np.cumsum(self.counts), rank, side="left")
        return edges_of(self.buckets[int(place)])
