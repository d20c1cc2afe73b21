"""Cells of a quantity whose largest values are told apart: the last begin where few values lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from streaming_eval.stats.cells import QuantileCells
from streaming_eval.stats.exceedance import needed
from streaming_eval.stats.levels import level_values

TAIL = (0.9, 0.95, 0.99)
"""Shares of the baseline up to the beginnings of the last cells."""
_NARROWEST = 0.05  # share of the baseline in the cell before the tail, at least
_SAME = 1e-9  # shares that are sums of others


@dataclass(frozen=True, slots=True)
class TailCells:
    """Cells by level that end at the baseline's tenths, and then at its .90, .95 and .99 quantiles.

    Whether the last cell holds more than its share is whether the .99 quantile is exceeded more
    often: of latencies and costs that is what is felt, where a mean hardly moves and a tenth of all
    values hides it.

    Attributes:
        rising: whether higher levels are larger values; else the tail lies at the low levels.
        alpha: probability that the baseline says nothing of a quantile: all its scores lie below.
    """

    rising: bool
    alpha: float

    def edges(self, counts: ArrayLike) -> tuple[float, ...]:
        """Upper ends on [0, 1] of all cells but the last, rising in level; empty for one value.

        A quantile ends a cell only where the baseline has `exceedance.needed` scores for it and
        values beyond it, so no cell is empty.

        Args:
            counts: of the baseline per level [levels].

        >>> TailCells(rising=True, alpha=0.05).edges([0, 950, 45, 5, 0])
        (0.25, 0.5)
        >>> TailCells(rising=False, alpha=0.05).edges([0, 5, 45, 950, 0])
        (0.25, 0.5)
        """
        n_at = np.asarray(counts, np.int64)
        values = level_values(n_at.size)
        ordered = n_at if self.rising else n_at[::-1]
        at = self._ends(ordered)
        if not self.rising:
            at = [n_at.size - 2 - end for end in reversed(at)]
        return tuple(values[at].tolist())

    def _ends(self, counts: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> list[int]:
        """Last level of each cell but the last, of levels that rise in the quantity."""
        at_most, n = counts.cumsum(), int(counts.sum())
        ends = {int(np.searchsorted(at_most, p * n)) for p in TAIL if n >= needed(p, self.alpha)}
        ends = {end for end in ends if at_most[end] < n}
        tenths = QuantileCells.of_counts(np.arange(counts.size), counts)
        first = at_most[min(ends)] - _NARROWEST * n if ends else n
        body = [int(end) for end in (tenths.edges if tenths else ())]
        return sorted(ends | {end for end in body if at_most[end] <= first})


def percentile(share: float) -> float | None:
    """Which of `TAIL` begins a cell that leaves such a share of the baseline below it.

    >>> percentile(0.953), percentile(0.99), percentile(0.7)
    (0.95, 0.99, None)
    """
    reached = [p for p in TAIL if p <= share + _SAME]
    return reached[-1] if reached else None
