"""A confidence sequence for a weighted mean that may move: one for scores, one for weights."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from streaming_eval.stats.empirical_bernstein import Deviations, EmpiricalBernstein, PaneSums
from streaming_eval.stats.grid import Grid
from streaming_eval.stats.interval import Interval

_WEIGHTS_PART = 0.1  # of the error; the mean weight is known well enough with little of it
_WEIGHTS_VARIANCE = 0.05  # guess for shares of the largest weight; a bad one costs width only


@dataclass(frozen=True, slots=True)
class WeightedDeviations:
    """Tallies of closed panes: of u (v - center) + center, which is on [0, 1], and of u."""

    scores: Deviations = field(default_factory=Deviations)
    weights: Deviations = field(default_factory=Deviations)

    def close(self, counts: ArrayLike, grid: Grid, center: float) -> WeightedDeviations:
        """These panes and the next one, from its counts per cell."""
        moved = grid.weights * (grid.values - center) + center
        return WeightedDeviations(
            self.scores.close(PaneSums.of(counts, moved)),
            self.weights.close(PaneSums.of(counts, grid.weights)),
        )


@dataclass(frozen=True, slots=True)
class WeightedBernstein:
    """Limits for sum E[u v] / sum E[u], expectations given the past, at every n at once.

    With v - center in place of v that ratio is a small number over a number near its mean, so the
    interval of the latter costs little. Both tallies hold with probability 1 - alpha together
    (Bonferroni), hence so does the quotient of their limits, whatever moves.

    Attributes:
        alpha: probability that the weighted running mean is ever outside, in (0, 1).
        expected_n: number of scores at which the interval shall be tightest.
        center: guess of the mean, fixed before the first score; a bad one costs width only.
        variance_guess: of u (v - center), in (0, 1/4].
    """

    alpha: float
    expected_n: float
    center: float
    variance_guess: float = 0.1

    def interval(self, tally: WeightedDeviations) -> Interval:
        """The limits; [0, 1] where there is no score.

        >>> WeightedBernstein(0.05, 1_000, center=0.9).interval(WeightedDeviations())
        Interval(lower=0.0, upper=1.0)
        """
        part = self.alpha * _WEIGHTS_PART
        weights = EmpiricalBernstein(part, self.expected_n, _WEIGHTS_VARIANCE)
        scores = EmpiricalBernstein(self.alpha - part, self.expected_n, self.variance_guess)
        mass, moved = weights.interval(tally.weights), scores.interval(tally.scores)
        ends = [
            self._end(moved.lower - self.center, mass.upper, mass.lower),
            self._end(moved.upper - self.center, mass.lower, mass.upper),
        ]
        return Interval(*np.clip(ends, 0.0, 1.0).tolist())

    def _end(self, gap: float, if_positive: float, if_negative: float) -> float:
        """Center + gap / mass, with the mass that puts the end farther out."""
        mass = if_positive if gap > 0.0 else if_negative
        return self.center + gap / mass if mass > 0.0 else self.center + np.sign(gap) * np.inf
