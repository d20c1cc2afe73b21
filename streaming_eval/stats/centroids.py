"""Embeddings as cells: which of the baseline's centroids is nearest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streaming_eval.stats.levels import Counts, Floats

Vectors = NDArray[np.float32]

_ROUNDS = 25  # of Lloyd's algorithm; cells need to be stable, not optimal
_TRIES = 5  # per centroid to begin with: one draw alone often splits a cluster in two
_BLOCK = 8_192  # vectors at a time, which bounds memory


@dataclass(frozen=True, slots=True, eq=False)
class CentroidCells:
    """One cell per centroid; a vector falls into that of the nearest one, of equals the first.

    Distances are worked out in double precision from single: two centroids have to be equally far
    to 13 digits before the rest of a batch could decide between them.

    Attributes:
        centroids: float32 [K, d].
    """

    centroids: Vectors

    def __post_init__(self) -> None:
        if self.centroids.ndim != 2 or len(self.centroids) < 2:
            raise ValueError("cells need two centroids or more")

    @classmethod
    def fit(cls, vectors: Vectors, cells: int = 32, seed: int = 0) -> CentroidCells:
        """Centroids of the baseline by k-means, the same ones for the same vectors and seed.

        Lloyd (1982), Least squares quantization in PCM, begun as in Arthur, Vassilvitskii (2007),
        k-means++: the advantages of careful seeding. A centroid nobody is nearest to stays put.

        Args:
            vectors: float32 [n, d], n at least `cells`.
            cells: 2 or more; 32 to 64 serve for a few thousand vectors.
            seed: of the beginning.
        """
        if not 2 <= cells <= len(vectors):
            raise ValueError(f"{len(vectors)} vectors cannot make {cells} cells")
        centroids = _spread(vectors, cells, np.random.default_rng(seed))
        for _ in range(_ROUNDS):
            nearest = _nearest(vectors, centroids)
            moved = _means(vectors, nearest, centroids)
            if np.array_equal(moved, centroids):
                break
            centroids = moved
        return cls(centroids)

    @property
    def cells(self) -> int:
        return len(self.centroids)

    def place(self, vectors: Vectors) -> Counts:
        """The cell of each vector [n] of float32 [n, d]."""
        return _nearest(vectors, self.centroids)


def _nearest(vectors: Vectors, centroids: Vectors) -> Counts:
    nearest = np.empty(len(vectors), np.int64)
    far = centroids.astype(np.float64)
    half_norms = (far**2).sum(axis=1) / 2.0
    for first in range(0, len(vectors), _BLOCK):
        block = vectors[first : first + _BLOCK].astype(np.float64)
        # |v - c|^2 / 2 without |v|^2, which is the same for all centroids.
        nearest[first : first + _BLOCK] = (half_norms - block @ far.T).argmin(axis=1)
    return nearest


def _spread(vectors: Vectors, cells: int, rng: np.random.Generator) -> Vectors:
    """Vectors to begin with: the best of a few drawn by squared distance to those before.

    Where fewer vectors differ than cells are wanted, the rest repeat and stay empty.
    """
    own: Floats = vectors.astype(np.float64)
    chosen = [int(rng.integers(len(own)))]
    gaps = ((own - own[chosen[0]]) ** 2).sum(axis=1)
    while len(chosen) < cells:
        reach = gaps.cumsum()
        drawn = np.searchsorted(reach, rng.random(_TRIES) * reach[-1], side="right")
        tries = np.minimum(drawn, len(own) - 1)
        left = [np.minimum(gaps, ((own - own[at]) ** 2).sum(axis=1)) for at in tries]
        best = int(np.argmin([rest.sum() for rest in left]))
        chosen.append(int(tries[best]))
        gaps = left[best]
    return vectors[chosen]


def _means(vectors: Vectors, nearest: Counts, centroids: Vectors) -> Vectors:
    """Mean of each cell's vectors; the old centroid where there are none."""
    n_at = np.bincount(nearest, minlength=len(centroids))
    order = np.argsort(nearest, kind="stable")
    held = np.flatnonzero(n_at)
    starts = (n_at.cumsum() - n_at)[held]
    sums = np.add.reduceat(vectors[order].astype(np.float64), starts, axis=0)
    means = centroids.copy()
    means[held] = (sums / n_at[held, None]).astype(np.float32)
    return means
