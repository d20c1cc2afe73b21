"""Quantiles of the newest values, in bounded memory."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque


class RecentValues:
    """The newest values in order of size: their quantiles are exact and follow every change.

    Adding costs a search and a move in a sorted list of at most `window` numbers, about a
    microsecond.

    Args:
        window: how many values are remembered.
        least: with fewer than that many there is no quantile.

    >>> values = RecentValues(window=3, least=2)
    >>> [(values.add(x), values.quantile(0.5))[1] for x in (5.0, 1.0, 2.0, 9.0)]
    [None, 5.0, 2.0, 2.0]
    """

    def __init__(self, *, window: int, least: int) -> None:
        self._window, self._least = window, least
        self._newest: deque[float] = deque()
        self._sorted: list[float] = []

    def add(self, value: float) -> None:
        """Takes in a value; the oldest goes when the window is full."""
        if len(self._newest) == self._window:
            del self._sorted[bisect_left(self._sorted, self._newest.popleft())]
        self._newest.append(value)
        insort(self._sorted, value)

    def quantile(self, share: float) -> float | None:
        """The value below which that share of the values lies; None while there are too few.

        Args:
            share: in [0, 1).
        """
        n = len(self._sorted)
        return None if n < self._least else self._sorted[int(share * n)]
