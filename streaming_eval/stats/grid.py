"""What the cells of a table of counts stand for: a value, and a share of the largest weight.

Counts per value are all that an unweighted series needs. Where samples stand for different numbers
of others, one more axis is enough: the mean m of the traffic is the one with E[w (x - m)] = 0, so a
bet against it multiplies wealth by 1 + stake u (v - m) with u = w / w_max, whatever the weights'
own mean is. Counts per (u, v) add like counts per v.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from streaming_eval.stats.levels import Counts, Floats, Scale, level_values, to_levels

UNWEIGHTED = (1.0,)


@dataclass(frozen=True, slots=True)
class Grid:
    """The cells of one series, weights outermost: cell = share index * levels + level.

    Attributes:
        levels: grid points of the value on [0, 1], ends included.
        shares: weights as shares of the largest one, increasing, each in (0, 1], the last one 1.
    """

    levels: int
    shares: tuple[float, ...] = UNWEIGHTED

    def __post_init__(self) -> None:
        if self.levels < 2:
            raise ValueError(f"a grid needs 2 levels or more, got {self.levels}")
        in_order = all(a < b for a, b in zip((0.0, *self.shares), self.shares, strict=False))
        if not (self.shares and in_order and self.shares[-1] == 1.0):
            raise ValueError(f"shares must increase from above 0 to 1, got {self.shares}")

    @classmethod
    def weighted(cls, levels: int, most: float) -> Grid:
        """The grid for weights of 1 to `most`: halves of `most` down to 1, and the ends.

        >>> Grid.weighted(2, most=20).shares
        (0.05, 0.1, 0.2, 0.4, 0.8, 1.0)
        """
        if not most >= 1.0:
            raise ValueError(f"the largest weight must be 1 or more, got {most}")
        doublings = [2.0**k / most for k in range(64) if 2.0**k < most]
        return cls(levels, (*doublings, 1.0))

    @property
    def cells(self) -> int:
        return self.levels * len(self.shares)

    @property
    def values(self) -> Floats:
        """Value on [0, 1] of each cell."""
        return np.tile(level_values(self.levels), len(self.shares))

    @property
    def weights(self) -> Floats:
        """Share of the largest weight of each cell."""
        return np.repeat(np.asarray(self.shares), self.levels)

    def mean(self, counts: ArrayLike) -> Floats:
        """Weighted mean on [0, 1] of counts [..., cells]; NaN where there is no count.

        >>> float(Grid(2, (0.5, 1.0)).mean([0, 2, 1, 0]))
        0.5
        """
        mass = np.asarray(counts, np.float64) * self.weights
        n = mass.sum(axis=-1)
        total = (mass * self.values).sum(axis=-1)
        average: Floats = np.divide(total, n, out=np.full_like(n, np.nan), where=n > 0)
        return average

    def place(
        self, values: ArrayLike, weights: ArrayLike, scale: Scale, uniforms: tuple[Floats, Floats]
    ) -> Counts:
        """The cell of each score: value and weight each rounded at random, without bias.

        Args:
            values: own-scale values, finite.
            weights: relative to the same unit as the largest one, which is 1 / `shares[0]`.
            scale: of the values; it has this grid's levels.
            uniforms: for the value and for the weight, independent of each other and of both.

        Raises:
            ValueError: a weight is not between the smallest share and 1 after division.
        """
        share = np.asarray(weights, np.float64) * self.shares[0]
        if not ((share >= self.shares[0]) & (share <= 1.0)).all():
            raise ValueError(f"weights must lie between 1 and {1 / self.shares[0]:g}")
        edges = np.asarray(self.shares)
        below = np.clip(np.searchsorted(edges, share, side="right") - 1, 0, max(len(edges) - 2, 0))
        above = np.minimum(below + 1, len(edges) - 1)
        gap = np.where(above > below, edges[above] - edges[below], 1.0)
        up = uniforms[1] < (share - edges[below]) / gap
        return np.where(up, above, below) * self.levels + to_levels(values, scale, uniforms[0])
