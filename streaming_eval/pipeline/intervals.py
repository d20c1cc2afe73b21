"""Which interval is shown for which window of which kind of series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from streaming_eval.stats.bounded import bounded_intervals
from streaming_eval.stats.grid import UNWEIGHTED, Grid
from streaming_eval.stats.interval import Interval
from streaming_eval.stats.levels import MOST_LEVELS, Counts, Floats
from streaming_eval.stats.mixture_bet import MixtureBet
from streaming_eval.stats.mixture_limits import coarsened
from streaming_eval.stats.running_mean import Prediction, running_intervals

# What a paired difference is likely to look like on [0, 1] before any is seen.
_PAIRED = Prediction(0.5, 0.05)


@dataclass(frozen=True, slots=True)
class Intervals:
    """Makes the intervals of one kind of series; counts are per cell of its grid.

    Attributes:
        expected_n: scores at which an interval shall be narrowest.
        grid: cells of the series.
        paired: whether they count differences between two models.
    """

    expected_n: int
    grid: Grid
    paired: bool

    def expectation(self, baseline: Sequence[int], constant: float | None) -> Prediction | None:
        """What is expected of all scores since a baseline, before the first of them.

        Args:
            baseline: its counts; empty where there are none.
            constant: the known mean on [0, 1] where it has none.

        Returns:
            None for weighted series: intervals that are proven for a mean that moves are up to 1.6
            times as wide there, so they keep those of windows.
        """
        if self.grid.shares != UNWEIGHTED:
            return None
        if any(baseline):
            return Prediction.of(baseline)
        if constant is None:
            return _PAIRED if self.paired else Prediction()
        known = Prediction.of_constant(constant)
        return replace(known, variance=_PAIRED.variance) if self.paired else known

    def of(
        self,
        counts: Sequence[Sequence[int]],
        expected: Sequence[Prediction | None],
        alpha: float,
    ) -> list[Interval]:
        """One interval per row of counts, each with error `alpha`.

        Args:
            counts: one row per window.
            expected: of everything since a baseline, in which the mean may have moved: its interval
                is one of the average so far. None for a window: its interval is the narrowest.
            alpha: in (0, 1).
        """
        if not counts:
            return []
        table, moves = np.array(counts, np.int64), np.array([e is not None for e in expected])
        bounds = np.empty((2, len(table)))
        bounds[:, ~moves] = self._narrowest(table[~moves], alpha)
        known = [one for one in expected if one is not None]
        bounds[:, moves] = running_intervals(table[moves], known, alpha, self.expected_n)
        return [Interval(low, high) for low, high in bounds.T.tolist()]

    def _narrowest(self, counts: Counts, alpha: float) -> tuple[Floats, Floats]:
        """On 129 levels a bet takes twice the time that it takes on every second of them."""
        bet, grid = self._bet(alpha), self.grid
        if grid.levels <= MOST_LEVELS:
            return bounded_intervals(counts, bet, grid)
        coarse = Grid((grid.levels + 1) // 2, grid.shares)
        return bounded_intervals(coarsened(counts, grid, coarse), bet, coarse)

    def _bet(self, alpha: float) -> MixtureBet:
        bet = MixtureBet(alpha, self.expected_n)
        if not self.paired:
            return bet
        return replace(bet, mean_guess=_PAIRED.mean, variance_guess=_PAIRED.variance)
