"""Streams of scores on [0, 1] whose mean is known exactly, drawn in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from streaming_eval.stats.levels import Counts, Floats

ALPHA = 0.05
BLOCK = 500
_PARTS = 1 << 16


@dataclass(frozen=True, slots=True)
class Stream:
    """Independent scores, each one of 65,536 equally likely values.

    Attributes:
        name: for the report.
        values: the values, so that the mean is exact.
        levels: grid on which our intervals count them.
    """

    name: str
    values: Floats
    levels: int

    @property
    def mean(self) -> float:
        return float(self.values.mean())

    def blocks(self, streams: int, length: int, seed: int) -> Iterator[tuple[Floats, Counts]]:
        """Values and levels [block, length] of `streams` streams in all."""
        rng = np.random.default_rng(seed)
        for first in range(0, streams, BLOCK):
            rows = min(BLOCK, streams - first)
            drawn = rng.integers(0, _PARTS, (rows, length), np.uint16)
            values = self.values[drawn]
            position = values * (self.levels - 1)
            floor = np.floor(position)
            up = rng.random((rows, length), np.float32) < position - floor
            yield values, (floor + up).astype(np.int64)


def pass_fail(p: float) -> Stream:
    """A pass rate, to the nearest 1/65,536."""
    return Stream(f"pass/fail {p}", (np.arange(_PARTS) < round(p * _PARTS)).astype(np.float64), 2)


def judge() -> Stream:
    """Grades 1 to 3 with shares .15, .2, .65: mean .75 of the range."""
    ranks = np.arange(_PARTS) / _PARTS
    return Stream("judge, 3 grades", np.where(ranks < 0.15, 0.0, np.where(ranks < 0.35, 0.5, 1)), 3)


def skewed() -> Stream:
    """Scores of a beta(10, 30) distribution."""
    ranks = (np.arange(_PARTS) + 0.5) / _PARTS
    return Stream("beta(10, 30)", beta.ppf(ranks, 10, 30), 65)


def spiky() -> Stream:
    """Nine in ten scores are .95, the others anywhere."""
    ranks = np.arange(_PARTS) / _PARTS
    return Stream("spiky", np.where(ranks < 0.1, ranks / 0.1, 0.95), 65)
