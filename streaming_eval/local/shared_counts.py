"""Counts that several processes of one server keep together."""

from __future__ import annotations

import mmap

import numpy as np

_STATUSES = 1_000


class SharedCounts:
    """Calls by status; made before forking, counted in by each process, and read by any.

    Each process has a row of its own, so that none waits for another.

    Args:
        processes: how many there will be.
    """

    def __init__(self, processes: int = 1) -> None:
        memory = mmap.mmap(-1, processes * _STATUSES * np.dtype(np.int64).itemsize)
        self._counts = np.frombuffer(memory, np.int64).reshape(processes, _STATUSES)
        self._own = memoryview(self._counts[0])

    def join(self, process: int) -> None:
        """From now on this is the process of that number, from 0."""
        self._own = memoryview(self._counts[process])

    def count(self, status: int) -> None:
        """Counts one call; 0 stands for a connection that was reset."""
        self._own[status] += 1

    def by_status(self) -> dict[int, int]:
        """The calls of all processes, by status."""
        sums = self._counts.sum(axis=0)
        return {int(status): int(sums[status]) for status in np.flatnonzero(sums)}
