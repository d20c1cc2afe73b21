"""The interval that is shown for scores on a grid: whichever method is narrower for its levels."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from streaming_eval.stats.beta_binomial import BetaBinomial
from streaming_eval.stats.grid import Grid
from streaming_eval.stats.levels import Floats
from streaming_eval.stats.mixture_bet import MixtureBet


def bounded_intervals(
    counts: ArrayLike, bet: MixtureBet, grid: Grid | None = None
) -> tuple[Floats, Floats]:
    """Lower and upper limits, one per row of counts [k, cells]; [0, 1] where there is no count.

    Unweighted pass/fail has a method of its own, which needs no guess of the rate: with rates of
    .5 to .98 and 100 to 10,000 scores it is .85 to 1.04 times as wide as the bet with the default
    guess, at the same cost. Which one is used depends on the grid alone, never on the counts, so
    the promise of either holds.

    >>> lower, upper = bounded_intervals([[100, 900]], MixtureBet(0.05, expected_n=1_000))
    >>> f"{lower[0]:.3f} {upper[0]:.3f}"
    '0.868 0.927'
    """
    n_at = np.asarray(counts, np.float64)
    cells = grid.cells if grid else n_at.shape[-1]
    if cells == 2:
        return BetaBinomial(bet.alpha, bet.expected_n).intervals(n_at)
    return bet.intervals(n_at, grid)
