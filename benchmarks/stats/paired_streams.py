"""Streams of paired differences, and how long anything takes to find them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from streaming_eval.stats.levels import Floats

ALPHA = 0.05
_POWER = 0.8


@dataclass(frozen=True, slots=True)
class Pairs:
    """A distribution of differences on a grid, in steps of the own scale; below 0 is worse."""

    name: str
    shares: tuple[float, ...]

    @property
    def steps(self) -> Floats:
        reach = len(self.shares) // 2
        return np.arange(-reach, reach + 1, dtype=np.float64)

    def null(self) -> Pairs:
        """The same sizes of differences, with no side better."""
        even = (np.array(self.shares) + np.array(self.shares)[::-1]) / 2
        return Pairs(f"{self.name}, no difference", tuple(even.tolist()))

    def classical_n(self) -> float:
        """Pairs that a one-sided z-test for one look needs to find it in 80 % of cases."""
        mean = float(np.dot(self.shares, self.steps))
        variance = float(np.dot(self.shares, self.steps**2)) - mean**2
        return float((norm.ppf(1 - ALPHA) + norm.ppf(_POWER)) ** 2 * variance / mean**2)

    def counts(self, streams: int, n: int, every: int, seed: int) -> NDArray[np.int64]:
        """Counts so far [stream, look, level], looked at after each `every` pairs."""
        rng = np.random.default_rng(seed)
        drawn = rng.multinomial(every, self.shares, (streams, n // every))
        return drawn.cumsum(axis=1)


def ever(reached: NDArray[np.bool_]) -> float:
    """Share of streams [stream, look] in which it happens at any look."""
    return float(reached.any(axis=1).mean())


def found_in_80_percent(reached: NDArray[np.bool_], every: int) -> float:
    """Pairs after which it has happened in 80 % of the streams; infinite when it never has."""
    when = np.where(reached.any(axis=1), (reached.argmax(axis=1) + 1.0) * every, np.inf)
    return float(np.quantile(when, _POWER, method="higher"))
