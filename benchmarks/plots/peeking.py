"""How often a pass rate has ever been outside its interval, by the number of scores seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streaming_eval.stats.bounded import bounded_intervals
from streaming_eval.stats.levels import Counts, Floats
from streaming_eval.stats.mixture_bet import MixtureBet

_P, _ALPHA = 0.9, 0.05
_FIRST_NAIVE = 30  # nobody believes it for fewer


@dataclass(frozen=True, slots=True)
class Peeking:
    """Share of the streams that have missed the mean at one look or more up to `n`."""

    n: Counts
    naive: Floats
    ours: Floats


def measure(*, quick: bool) -> Peeking:
    """Looks after every score."""
    streams, length = (50, 300) if quick else (1_000, 10_000)
    drawn = np.random.default_rng(1).random((streams, length)) < _P
    passes = drawn.cumsum(axis=1, dtype=np.int64)
    n = np.arange(1, length + 1)
    seen = passes / n
    naive = (np.abs(seen - _P) > 1.96 * np.sqrt(seen * (1 - seen) / n)) & (n >= _FIRST_NAIVE)
    shown = np.unique(np.geomspace(_FIRST_NAIVE, length, 200).astype(int)) - 1
    return Peeking(n[shown], _ever(naive)[shown], _ever(_missed(passes, n))[shown])


def _missed(passes: Counts, n: Counts) -> np.ndarray:
    """Whether the pass rate is outside; each pair of passes and scores is solved once."""
    base = int(n[-1]) + 1
    met, where = np.unique(passes * base + n, return_inverse=True)
    counts = np.stack([met % base - met // base, met // base], axis=1)
    lower, upper = bounded_intervals(counts, MixtureBet(_ALPHA, expected_n=1_000))
    outside = (lower > _P) | (upper < _P)
    missed: np.ndarray = outside[where.reshape(passes.shape)]
    return missed


def _ever(missed: np.ndarray) -> Floats:
    share: Floats = np.maximum.accumulate(missed, axis=1).mean(axis=0)
    return share
