"""A boundary that sums of bounded deviations cross at any time with probability alpha at most."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import log, log1p

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammainc, gammaln

from streaming_eval.stats.levels import Floats

_LEAST, _MOST = 1e-3, 1e9  # squared deviations that are tabulated; beyond, nothing is known
_RATIO = 1.002  # of neighbours in the table, so at most 0.1% of width is given away
_HALVINGS = 40
_COARSE = 16  # neighbours of these lie within 2% of each other
_FINE_HALVINGS = 12


@dataclass(frozen=True, slots=True)
class GammaExponential:
    """How far a sum may stray, by the sum V of squared deviations it has gone through.

    Where deviations from a prediction are at least -1, exp(l S - (-log(1 - l) - l) V) is a
    supermartingale for every l in [0, 1). Averaged over l with a gamma density it has a closed
    form, and S reaches the height at which that is 1 / alpha with probability alpha at most.

    Source: Howard, Ramdas, McAuliffe, Sekhon (2021), Time-uniform, nonparametric, nonasymptotic
    confidence sequences: the gamma-exponential mixture with scale 1 and its empirical Bernstein
    bound.

    Attributes:
        alpha: probability that the sum ever crosses, on one side, in (0, 1/2).
        best_v: where the boundary shall be lowest, > 0.
    """

    alpha: float
    best_v: float

    def __post_init__(self) -> None:
        if not 0.0 < self.alpha < 0.5:
            raise ValueError(f"alpha must lie in (0, 1/2), got {self.alpha}")
        if not self.best_v > 0.0:
            raise ValueError(f"best_v must be more than 0, got {self.best_v}")

    def height(self, squares: ArrayLike) -> Floats:
        """The boundary at sums of squared deviations, rounded up; infinite beyond 10^9."""
        v = np.asarray(squares, np.float64)
        table = _table(self)
        place = np.ceil(np.log(np.maximum(v, _LEAST) / _LEAST) / log(_RATIO) - 1e-9)
        known = place < len(table)
        found = table[np.where(known, place, 0).astype(np.int64)]
        height: Floats = np.where(known, found, np.inf)
        return height

    def log_mixture(self, sums: ArrayLike, squares: ArrayLike) -> Floats:
        """Log of the averaged supermartingale at a sum >= 0 and its squared deviations."""
        s, v, rho = np.asarray(sums, np.float64), np.asarray(squares, np.float64), self._rho()
        start = rho * log(rho) - gammaln(rho) - np.log(gammainc(rho, rho))
        shape = v + rho
        rest = gammaln(shape) + np.log(gammainc(shape, s + shape)) - shape * np.log(s + shape)
        value: Floats = start + rest + s + v
        return value

    def _rho(self) -> float:
        """The strength that makes a normal mixture lowest at `best_v`; nearly so for this one."""
        odds = -log(2.0 * self.alpha)
        return self.best_v / (2.0 * odds + log1p(2.0 * odds))


@lru_cache(maxsize=64)
def _table(boundary: GammaExponential) -> Floats:
    """Heights at V = least, least x ratio, ...: bisection, of which the upper end is kept.

    Every `_COARSE`-th height is found first: heights grow with V, so it bounds those before it.
    """
    steps = int(np.ceil(log(_MOST / _LEAST) / log(_RATIO) / _COARSE)) * _COARSE + 1
    v: Floats = _LEAST * _RATIO ** np.arange(steps, dtype=np.float64)
    coarse = v[::_COARSE]
    high: Floats = np.sqrt(coarse + 1.0)
    while (short := ~_reached(boundary, high, coarse)).any():
        high[short] *= 2.0
    rare = _bisected(boundary, coarse, np.zeros(coarse.size), high, _HALVINGS)
    at = np.arange(steps)
    low, high = rare[at // _COARSE], rare[-(-at // _COARSE)]
    return _bisected(boundary, v, low, high, _FINE_HALVINGS)


def _bisected(
    boundary: GammaExponential, v: Floats, low: Floats, high: Floats, halvings: int
) -> Floats:
    """Heights between `low` and `high`, a little above the true ones."""
    for _ in range(halvings):
        middle = (low + high) / 2.0
        enough = _reached(boundary, middle, v)
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return high


def _reached(boundary: GammaExponential, heights: Floats, v: Floats) -> NDArray[np.bool_]:
    reached: NDArray[np.bool_] = boundary.log_mixture(heights, v) >= -log(boundary.alpha)
    return reached
