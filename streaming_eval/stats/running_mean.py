"""Limits for the running mean of many series at once, from counts and one prediction for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import ArrayLike

from streaming_eval.stats.empirical_bernstein import EmpiricalBernstein
from streaming_eval.stats.levels import Floats, level_values

_LARGEST_VARIANCE = 0.25
_RATIO = 2.0  # of neighbouring guesses: each distinct one costs a table, made in 0.04 s
_GUESSES = 9


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is expected of a series' scores before the first of them is seen.

    Attributes:
        mean: in [0, 1].
        variance: in [0, 1/4]; like a bad mean, a bad one costs width, never validity.
    """

    mean: float = 0.5
    variance: float = 0.16

    @classmethod
    def of(cls, counts: ArrayLike) -> Prediction:
        """From counts per level of earlier scores [L], and one more score of 1/2.

        >>> Prediction.of([0, 0]) == Prediction()
        True
        >>> found = Prediction.of([100, 900])
        >>> f"{found.mean:.3f} {found.variance:.3f}"
        '0.900 0.090'
        """
        n_at = np.asarray(counts, np.float64)
        if not n_at.any():
            return cls()
        values, n = level_values(n_at.shape[-1]), 1.0 + float(n_at.sum())
        average = float((0.5 + n_at @ values) / n)
        squares = float(n_at @ (values - average) ** 2 + (0.5 - average) ** 2)
        return cls(average, squares / n)

    @classmethod
    def of_constant(cls, mean: float) -> Prediction:
        """From a known mean in [0, 1], with the largest variance that scores can have around it."""
        return cls(mean, mean * (1.0 - mean))


def running_intervals(
    counts: ArrayLike, predictions: Sequence[Prediction], alpha: float, expected_n: float
) -> tuple[Floats, Floats]:
    """Lower and upper limits, one per row of counts [k, L]; [0, 1] where there is no count.

    With probability 1 - alpha the average of all scores' means so far is inside at every n at once,
    however these move: `EmpiricalBernstein` with one prediction for all scores of a row. It is
    known before the first score, so counts are all that is needed, and their order does not matter.

    Args:
        counts: per level, unweighted, of the scores that came after the prediction was made.
        predictions: one per row.
        alpha: probability that the running mean of a row is ever outside.
        expected_n: number of scores at which intervals shall be tightest.

    >>> lower, upper = running_intervals([[100, 900]], [Prediction(0.9, 0.09)], 0.05, 1_000)
    >>> f"{lower[0]:.3f} {upper[0]:.3f}"
    '0.868 0.932'
    """
    n_at = np.asarray(counts, np.float64)
    values, means = level_values(n_at.shape[-1]), np.array([p.mean for p in predictions])
    n, totals = n_at.sum(axis=-1), n_at @ values
    squares = (n_at * (values - means[:, None]) ** 2).sum(axis=-1)
    guesses = np.array([_guess(p.variance) for p in predictions])
    lower, upper = np.zeros(len(n_at)), np.ones(len(n_at))
    for guess in set(guesses.tolist()):
        rows = np.flatnonzero(guesses == guess)
        method = EmpiricalBernstein(alpha, expected_n, guess)
        lower[rows], upper[rows] = method.intervals(n[rows], totals[rows], squares[rows])
    return lower, upper


def _guess(variance: float) -> float:
    """The nearest of 1/4, 1/8, 1/16 ...: few, so that their tables are made once and kept."""
    steps = log(_LARGEST_VARIANCE / max(variance, 1e-9)) / log(_RATIO)
    return float(_LARGEST_VARIANCE / _RATIO ** min(round(steps), _GUESSES - 1))
