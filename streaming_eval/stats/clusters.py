"""One value per cluster: scores of one conversation, or of one repeated prompt, are no two bets."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streaming_eval.stats.levels import MOST_LEVELS, Counts, Floats, Scale, to_levels


def cluster_scale(scale: Scale) -> Scale:
    """The scale for means of clusters: the same range, as fine as there is.

    >>> cluster_scale(Scale(1, 3, True, 3)).levels
    65
    """
    return replace(scale, levels=max(scale.levels, MOST_LEVELS))


@dataclass(frozen=True, slots=True)
class ClusterMeans:
    """Weighted means of the clusters of one pane of one series.

    Equal to the last bit for every order of the scores: they are added up in order of value.

    Attributes:
        clusters: number of each mean's cluster, increasing [m].
        means: on the scorer's own scale [m].
        weights: mean weight of the cluster's scores [m].
        sizes: scores in each cluster [m].
    """

    clusters: NDArray[np.int64]
    means: Floats
    weights: Floats
    sizes: Counts

    @classmethod
    def of(cls, clusters: NDArray[np.int64], values: Floats, weights: Floats) -> ClusterMeans:
        """The means of scores [n] by the number of their cluster; weights are > 0."""
        order = np.lexsort((weights, values, clusters))
        c, w = clusters[order], weights[order]
        starts = np.flatnonzero(np.append(True, c[1:] != c[:-1])[: len(c)])
        sizes = np.diff(starts, append=len(c))
        if not starts.size:
            return cls(c, w, w, sizes)
        mass = np.add.reduceat(w, starts)
        totals = np.add.reduceat(w * values[order], starts)
        return cls(c[starts], totals / mass, mass / sizes, sizes)

    def levels(self, scale: Scale, uniforms: Floats) -> Counts:
        """The level of each mean, rounded without bias.

        Args:
            scale: of the grid; `cluster_scale` adds the least variance.
            uniforms: one per cluster, from the hash of its id, so that a replay repeats them.
        """
        return to_levels(self.means, scale, uniforms)
