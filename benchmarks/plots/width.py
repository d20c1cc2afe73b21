"""How wide intervals are, for counts that fall exactly as expected."""

from __future__ import annotations

import numpy as np

from streaming_eval.stats.bounded import bounded_intervals
from streaming_eval.stats.levels import Floats
from streaming_eval.stats.mixture_bet import MixtureBet

_ALPHA = 0.05


def sizes() -> Floats:
    """Numbers of scores, evenly spread on a logarithmic axis."""
    return np.geomspace(100, 1e5, 60)


def one_look(p: float, n: Floats) -> Floats:
    """Half-width of the usual 95% interval of a pass rate (Wald)."""
    half: Floats = 1.96 * np.sqrt(p * (1 - p) / n)
    return half


def ours(p: float, n: Floats) -> Floats:
    """Half-width of the interval that the product shows, tuned to 1,000 scores."""
    counts = np.multiply.outer(n, np.array([1 - p, p]))
    lower, upper = bounded_intervals(counts, MixtureBet(_ALPHA, expected_n=1_000))
    half: Floats = (upper - lower) / 2
    return half
