"""How scores are spread over their levels, and what a drop of their mean does to that."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import softmax

from streaming_eval.stats.levels import Floats, level_values

_STEEPEST = 1e4  # of a tilt per unit of score; a mean this close to an end is the end


def spread(levels: int, mean: float) -> Floats:
    """The most even spread over the levels that has this mean on [0, 1].

    That is the distribution of largest entropy (Jaynes 1957, Information theory and statistical
    mechanics); for two levels there is only one.

    >>> spread(2, 0.75).round(3).tolist(), spread(3, 0.5).round(3).tolist()
    ([0.25, 0.75], [0.333, 0.333, 0.333])
    """
    return tilted(np.full(levels, 1.0 / levels), mean)


def tilted(shares: ArrayLike, mean: float) -> Floats:
    """The spread nearest to `shares` in relative entropy among those with this mean on [0, 1].

    Each share is multiplied by exp(t v) for its level's value v and one number t.

    Args:
        shares: of each level, adding up to 1.
        mean: between the lowest and the highest level that has a share.

    Raises:
        ValueError: no tilt has that mean.
    """
    start = np.asarray(shares, np.float64)
    held = start > 0
    values, log_start = level_values(start.size)[held], np.log(start[held])
    if not values[0] <= mean <= values[-1]:
        raise ValueError(f"a mean must lie in [{values[0]:g}, {values[-1]:g}], got {mean:g}")

    def gap(tilt: float) -> float:
        return float(softmax(log_start + tilt * values) @ values) - mean

    if gap(-_STEEPEST) >= 0.0:
        tilt = -_STEEPEST
    elif gap(_STEEPEST) <= 0.0:
        tilt = _STEEPEST
    else:
        tilt = float(brentq(gap, -_STEEPEST, _STEEPEST, xtol=1e-12))
    moved = np.zeros(start.size)
    moved[held] = softmax(log_start + tilt * values)
    return moved
