"""Which samples were scored lately, so that one delivered twice is scored once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streaming_eval.pipeline.id_runs import IdRuns
from streaming_eval.pipeline.sample_hash import Ids


class RecentSamples:
    """A bounded memory of sample ids as 64-bit hashes, in two generations.

    An id is remembered for at least `horizon_ms` and forgotten after at most twice that. Two of
    10^7 remembered ids collide with probability below 10^-5; a collision would drop one sample as
    a duplicate.

    Args:
        horizon_ms: how long an id must be remembered.
    """

    def __init__(self, horizon_ms: int) -> None:
        self._horizon_ms = horizon_ms
        self._turned_ms: int | None = None
        self._current, self._previous = IdRuns(), IdRuns()

    def __len__(self) -> int:
        return len(self._current) + len(self._previous)

    def known(self, ids: Ids) -> NDArray[np.bool_]:
        """Which of `ids` were remembered."""
        return self._current.contains(ids) | self._previous.contains(ids)

    def remember(self, ids: Ids, now_ms: int) -> None:
        """Adds ids, in any order; starts a new generation when the current one is a horizon old."""
        if self._turned_ms is None:
            self._turned_ms = now_ms
        if now_ms - self._turned_ms >= self._horizon_ms:
            self._previous, self._current = self._current, IdRuns()
            self._turned_ms = now_ms
        self._current.add(ids)
