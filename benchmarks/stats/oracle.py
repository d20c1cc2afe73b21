"""The CUSUM that knows both mixes, with its limit set to an exact average run length."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.sparse import csr_array, eye_array
from scipy.sparse.linalg import spsolve

from streaming_eval.stats.levels import Floats

_POINTS = 1_500  # of the Markov chain


def gains(before: Floats, after: Floats) -> Floats:
    """Log likelihood ratio of each level."""
    ratios: Floats = np.log(after / before)
    return ratios


def limit_for(run_length: float, before: Floats, after: Floats) -> float:
    """The limit at which false alarms come on average once per `run_length` scores."""
    rate = gains(before, after)

    def excess(limit: float) -> float:
        return float(np.log(mean_run_length(limit, before, rate)) - np.log(run_length))

    return float(brentq(excess, 0.5, np.log(run_length) + 3.0, xtol=1e-3))


def mean_run_length(limit: float, mix: Floats, rate: Floats) -> float:
    """Average run length by a Markov chain on a fine grid of the CUSUM's values.

    Brook, Evans (1972), An approach to the probability distribution of CUSUM run length; between
    two points of the grid the run length is interpolated.
    """
    grid = np.linspace(0.0, limit, _POINTS)
    rows, columns, chances = [], [], []
    for share, gain in zip(mix, rate, strict=True):
        place = np.maximum((grid + gain) / grid[1], 0.0)
        inside = np.flatnonzero(place < _POINTS - 1)
        low = place[inside].astype(int)
        part = place[inside] - low
        rows += [inside, inside]
        columns += [low, low + 1]
        chances += [share * (1.0 - part), share * part]
    at = (np.concatenate(rows), np.concatenate(columns))
    stays = csr_array((np.concatenate(chances), at), shape=(_POINTS, _POINTS))
    lengths = spsolve((eye_array(_POINTS) - stays).tocsc(), np.ones(_POINTS))
    return float(lengths[0])
