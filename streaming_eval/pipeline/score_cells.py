"""From scores to the cells that they are counted in: one per sample, or one per cluster."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streaming_eval.pipeline.sample_hash import Ids
from streaming_eval.stats.clusters import ClusterMeans
from streaming_eval.stats.grid import Grid
from streaming_eval.stats.levels import Counts, Floats, Scale, mixed, uniforms

MISSING = -1
ALONE = -1
_OF_WEIGHT = 0x5851F42D4C957F2D  # salt of the second uniform, any number that no scorer hashes to
_OF_MEMBER = 0x2545F4914F6CDD1D  # likewise, of the uniform that draws one score of a cluster
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ScoreCells:
    """Scores of one scorer, ready to be counted.

    Attributes:
        values: on the scorer's own scale; NaN where there is none.
        weights: how many samples each stands for.
        hashes: of the sample, or of its cluster, mixed for the scorer.
        clusters: a number that scores of one model, cluster and pane share; `ALONE` for others.
        scale: of the values.
        grid: of the cells; a weight beyond its largest counts as the largest.
        categories: whether values are numbers of categories, of which there is no mean.
    """

    values: Floats
    weights: Floats
    hashes: Ids
    clusters: Rows
    scale: Scale
    grid: Grid
    categories: bool = False

    def of(self, rows: Rows) -> tuple[Rows, Counts]:
        """What to count of some rows: a row that stands for each, and its cell or `MISSING`.

        A cluster counts once, with the weighted mean of its scores among these rows and their mean
        weight; of categories, with one of them drawn. Scores that are missing are counted one by
        one.
        """
        known = ~np.isnan(self.values[rows])
        single = self.clusters[rows] == ALONE
        alone, together = rows[known & single], rows[known & ~single]
        unknown = rows[~known]
        parts = [(unknown, np.full(len(unknown), MISSING, np.int64))]
        parts.append((alone, self._placed(self.values[alone], self.weights[alone], alone)))
        if len(together):
            _, first, which = np.unique(
                self.clusters[together], return_index=True, return_inverse=True
            )
            leaders = together[first]
            clusters = ClusterMeans.of(which, self.values[together], self.weights[together])
            drawn = self._drawn(together, which, leaders) if self.categories else clusters.means
            parts.append((leaders, self._placed(drawn, clusters.weights, leaders)))
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])

    def _drawn(self, together: Rows, which: Rows, leaders: Rows) -> Floats:
        """One value of each cluster, each as likely; the same one in whatever order they came."""
        sizes = np.bincount(which)
        ordered = self.values[together][np.lexsort((self.values[together], which))]
        chosen = np.floor(uniforms(mixed(self.hashes[leaders], _OF_MEMBER)) * sizes)
        drawn: Floats = ordered[sizes.cumsum() - sizes + chosen.astype(np.int64)]
        return drawn

    def _placed(self, values: Floats, weights: Floats, rows: Rows) -> Counts:
        hashes = self.hashes[rows]
        most = 1.0 / self.grid.shares[0]
        within = np.clip(weights, 1.0, most)
        drawn = uniforms(hashes), uniforms(mixed(hashes, _OF_WEIGHT))
        return self.grid.place(values, within, self.scale, drawn)


def clusters_of(*parts: NDArray[np.int64], known: NDArray[np.bool_]) -> Rows:
    """One number per row for what agrees in all `parts`; `ALONE` where nobody else does.

    Args:
        parts: codes, one per row each.
        known: rows that have a cluster at all.
    """
    codes = np.full(len(known), ALONE, np.int64)
    if known.any():
        keys = np.stack([part[known] for part in parts])
        _, which, n = np.unique(keys, axis=1, return_inverse=True, return_counts=True)
        codes[known] = np.where(n[which] > 1, which, ALONE)
    return codes
