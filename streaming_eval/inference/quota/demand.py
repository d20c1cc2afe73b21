"""How many permits a worker will need before it hears from the driver again."""

from __future__ import annotations

from math import ceil, exp

AHEAD_S = 0.25
_MEMORY_S = 0.5
_LEAST = 0.5


class Demand:
    """The rate at which one model's requests have started lately, and their size."""

    def __init__(self) -> None:
        self._started, self._per_s, self._tokens = 0, 0.0, 0.0

    def start(self, tokens: int) -> None:
        """One request was started."""
        self._started += 1
        self._tokens = (
            self._tokens + (tokens - self._tokens) / 16 if self._tokens else float(tokens)
        )

    def pass_time(self, seconds: float) -> None:
        """So much time has passed since the last call, above 0."""
        old = exp(-seconds / _MEMORY_S)
        self._per_s = old * self._per_s + (1 - old) * self._started / seconds
        self._started = 0

    @property
    def ahead(self) -> int:
        """Requests that are likely to come within `AHEAD_S`."""
        expected = self._per_s * AHEAD_S
        return ceil(expected) if expected >= _LEAST else 0

    @property
    def tokens(self) -> int:
        """Of a usual request."""
        return ceil(self._tokens)
