"""A confidence sequence for a mean that may move, from three sums."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from streaming_eval.stats.gamma_exponential import GammaExponential
from streaming_eval.stats.interval import Interval
from streaming_eval.stats.levels import Floats


@dataclass(frozen=True, slots=True)
class PaneSums:
    """What is kept of a pane while it is open: its scores on [0, 1], in any order.

    Attributes:
        n: number of scores.
        total: their sum.
        squares: sum of their squares.
    """

    n: int = 0
    total: float = 0.0
    squares: float = 0.0

    @classmethod
    def of(cls, counts: ArrayLike, values: ArrayLike) -> PaneSums:
        """The sums of counts per cell [L], where a cell's scores are worth `values` [L]."""
        n_at, v = np.asarray(counts, np.int64), np.asarray(values, np.float64)
        return cls(int(n_at.sum()), float((n_at * v).sum()), float((n_at * v**2).sum()))

    def update(self, score: float) -> PaneSums:
        return PaneSums(self.n + 1, self.total + score, self.squares + score**2)

    def merge(self, other: PaneSums) -> PaneSums:
        return PaneSums(self.n + other.n, self.total + other.total, self.squares + other.squares)


@dataclass(frozen=True, slots=True)
class Deviations:
    """What is kept of closed panes: how far their scores lay from what was predicted for the pane.

    A pane is predicted from the panes that `close` was called for before it, never from itself.
    So within a pane neither order nor batches matter; the order of the panes does, and it is that
    of event time. Any union of panes is the merge of what each one added.

    Attributes:
        n: number of scores.
        total: their sum.
        squares: sum of (score - prediction)^2.
    """

    n: int = 0
    total: float = 0.0
    squares: float = 0.0

    @property
    def prediction(self) -> float:
        """Of the next pane's scores: the mean so far, with one more score of 1/2.

        >>> Deviations().prediction
        0.5
        """
        return (0.5 + self.total) / (1 + self.n)

    def added(self, pane: PaneSums) -> Deviations:
        """What the next pane alone adds; for a pane that is open, what it would add now."""
        q = self.prediction
        squares = pane.squares - 2.0 * q * pane.total + q**2 * pane.n
        return Deviations(pane.n, pane.total, max(squares, 0.0))

    def close(self, pane: PaneSums) -> Deviations:
        """These panes and the next one."""
        return self.merge(self.added(pane))

    def merge(self, other: Deviations) -> Deviations:
        return Deviations(self.n + other.n, self.total + other.total, self.squares + other.squares)


@dataclass(frozen=True, slots=True)
class EmpiricalBernstein:
    """Limits for the running mean of the scores' means, at every n at once, however these move.

    The mean of each score given its past may change with every score: what is inside with
    probability 1 - alpha is their average so far. Made for long and seasonal windows; for a mean
    that stays, and for few scores, `MixtureBet` is narrower.

    Source: Howard, Ramdas, McAuliffe, Sekhon (2021), Time-uniform, nonparametric, nonasymptotic
    confidence sequences, who predict each score anew. A prediction that is the same for a whole
    pane is known before the pane's first score, which is all that their proof asks of it.

    Attributes:
        alpha: probability that the running mean is ever outside, in (0, 1).
        expected_n: number of scores at which the interval shall be tightest.
        variance_guess: of the scores' variance, in (0, 1/4]; a bad guess costs width only.
    """

    alpha: float
    expected_n: float
    variance_guess: float = 0.16

    def __post_init__(self) -> None:
        if not 0.0 < self.alpha < 1.0:
            raise ValueError(f"alpha must lie in (0, 1), got {self.alpha}")
        if not self.expected_n >= 1.0:
            raise ValueError(f"expected_n must be 1 or more, got {self.expected_n}")
        if not 0.0 < self.variance_guess <= 0.25:
            raise ValueError(f"variance_guess must lie in (0, 1/4], got {self.variance_guess}")

    def intervals(
        self, n: ArrayLike, totals: ArrayLike, squares: ArrayLike
    ) -> tuple[Floats, Floats]:
        """Lower and upper limits for tallies as columns; [0, 1] where there is no score."""
        boundary = GammaExponential(self.alpha / 2.0, self.expected_n * self.variance_guess)
        seen = np.maximum(np.asarray(n, np.float64), 1.0)
        average, radius = np.asarray(totals) / seen, boundary.height(squares) / seen
        lower, upper, known = average - radius, average + radius, np.asarray(n) > 0
        return (
            np.where(known, np.clip(lower, 0.0, 1.0), 0.0),
            np.where(known, np.clip(upper, 0.0, 1.0), 1.0),
        )

    def interval(self, tally: Deviations) -> Interval:
        """The limits for one tally.

        >>> EmpiricalBernstein(0.05, expected_n=1_000).interval(Deviations())
        Interval(lower=0.0, upper=1.0)
        """
        lower, upper = self.intervals(tally.n, tally.total, tally.squares)
        return Interval(float(lower), float(upper))
