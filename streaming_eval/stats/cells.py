"""What turns a quantity into a few cells, frozen with the baseline: values and categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from streaming_eval.stats.levels import Counts

MOST_CELLS = 10  # of an ordered quantity: more cells cost evidence and show no more of a shift
_MOST_CATEGORIES = 30


@dataclass(frozen=True, slots=True)
class QuantileCells:
    """Ordered cells that the baseline fills about equally: up to the first edge, the second, ...

    Attributes:
        edges: largest value of each cell but the last, which has none; increasing.
    """

    edges: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.edges or not all(b > a for a, b in pairwise(self.edges)):
            raise ValueError(f"edges must increase, got {self.edges}")

    @classmethod
    def of_counts(
        cls, values: ArrayLike, counts: ArrayLike, most: int = MOST_CELLS
    ) -> QuantileCells | None:
        """Cells with about a share 1/most of the counts each; None when all is one value.

        Equal values share a cell, and no cell is empty.

        Args:
            values: increasing [K]: levels, or upper edges of buckets.
            counts: of the baseline at each value [K].
            most: cells at most, 2 or more.

        >>> QuantileCells.of_counts([1, 2, 3, 4], [10, 10, 60, 20], most=3)
        QuantileCells(edges=(2.0, 3.0))
        """
        n_at = np.asarray(counts, np.int64)
        edges, taken, uncut, cells = [], 0, int(n_at.sum()), most
        for at, after in pairwise(np.flatnonzero(n_at)):
            taken += int(n_at[at])
            # Cut where the next value would overshoot its part by more than this one falls short.
            if cells > 1 and taken + n_at[after] / 2 > uncut / cells:
                edges.append(float(np.asarray(values, np.float64)[at]))
                taken, uncut, cells = 0, uncut - taken, cells - 1
        return cls(tuple(edges)) if edges else None

    @property
    def cells(self) -> int:
        return len(self.edges) + 1

    def place(self, values: ArrayLike) -> Counts:
        """The cell of each value.

        >>> QuantileCells((2.0, 3.0)).place([-1, 2, 2.5, 99]).tolist()
        [0, 0, 1, 2]
        """
        own = np.asarray(values, np.float64)
        if np.isnan(own).any():
            raise ValueError("a value that is not a number has no cell")
        return np.searchsorted(self.edges, own, side="left").astype(np.int64)

    def gather(self, values: ArrayLike, counts: ArrayLike) -> Counts:
        """Counts per cell [..., cells] of counts [..., K] at increasing values [K].

        Exact as long as the edges are among the values that buckets end at.
        """
        n_at = np.asarray(counts, np.int64)
        at_most = np.zeros((*n_at.shape[:-1], n_at.shape[-1] + 1), np.int64)
        np.cumsum(n_at, axis=-1, out=at_most[..., 1:])
        ends = np.searchsorted(np.asarray(values, np.float64), self.edges, side="right")
        return np.diff(at_most[..., [0, *ends, n_at.shape[-1]]], axis=-1)


@dataclass(frozen=True, slots=True)
class CategoryCells:
    """One cell for each of the baseline's most common categories, the last one for all others.

    Attributes:
        names: of the cells but the last, most common first.
    """

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.names or len(set(self.names)) != len(self.names):
            raise ValueError("categories must be named, each once")

    @classmethod
    def of_counts(cls, counts: Mapping[str, int], most: int = _MOST_CATEGORIES) -> CategoryCells:
        """The `most` most common categories; ties by name, so the same counts give the same cells.

        >>> CategoryCells.of_counts({"fr": 5, "de": 5, "en": 90}, most=2).names
        ('en', 'de')
        """
        held = [name for name, n in counts.items() if n > 0]
        ordered = sorted(held, key=lambda name: (-counts[name], name))
        return cls(tuple(ordered[:most]))

    @property
    def cells(self) -> int:
        return len(self.names) + 1

    def place(self, categories: Sequence[str]) -> Counts:
        """The cell of each category."""
        index = {name: cell for cell, name in enumerate(self.names)}
        return np.array([index.get(name, len(self.names)) for name in categories], np.int64)

    def gather(self, counts: Mapping[str, int]) -> Counts:
        """Counts per cell of counts per category.

        >>> CategoryCells(("en", "de")).gather({"de": 3, "it": 2, "nl": 1}).tolist()
        [0, 3, 3]
        """
        gathered = np.zeros(self.cells, np.int64)
        np.add.at(gathered, self.place(list(counts)), list(counts.values()))
        return gathered
