"""One budget of false alarms for a whole fleet of series, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import ArrayLike

from streaming_eval.stats.levels import Floats

MONTH_MS = 30 * 86_400_000


@dataclass(frozen=True, slots=True)
class FleetBudget:
    """At most one false alarm per `panes` panes on average, over all series together.

    Series k of weight w_k opens its alarm at M_k >= panes W / w_k, with W the sum of the weights of
    all series that may exist. The mean of the M_k by these weights is an e-detector itself, so the
    fleet's first false alarm comes on average no sooner than after `panes` panes; a series is
    falsely alarmed within T panes with probability at most T w_k / (panes W), and the expected
    number of falsely alarmed series is at most T / panes. All that under any dependence.

    Source: Shin, Ramdas, Rinaldo (2024), E-detectors: a nonparametric framework for sequential
    change detection; the sum over series is Markov's inequality.

    Attributes:
        panes: per false alarm, at least 1.
        total_weight: W, at least any series' own: fixed before data, of the series that may exist,
            not of those seen.
    """

    panes: float
    total_weight: float

    def __post_init__(self) -> None:
        if not (self.panes >= 1.0 and self.total_weight > 0.0):
            needs = "a budget needs at least one pane per false alarm and some weight"
            raise ValueError(f"{needs}, got {self}")

    def log_threshold(self, weight: float) -> float:
        """Log evidence at which the alarm of a series of this weight opens.

        >>> round(FleetBudget(panes=2_016, total_weight=5_000).log_threshold(1.0), 1)
        16.1
        """
        if not 0.0 < weight <= self.total_weight:
            raise ValueError(f"weight must lie in (0, {self.total_weight:g}], got {weight}")
        return log(self.panes) + log(self.total_weight / weight)

    def expected_false_alarms(self, panes: float) -> float:
        """Falsely alarmed series within so many panes, on average at most."""
        return panes / self.panes

    def chance_of_any(self, panes: float) -> float:
        """Probability of any false alarm within so many panes, at most.

        >>> FleetBudget(panes=100, total_weight=7).chance_of_any(25)
        0.25
        """
        return min(1.0, panes / self.panes)


def roll_up(log_m: ArrayLike, weights: ArrayLike) -> Floats:
    """Evidence of a group, such as a model's segments: log of the weighted mean of their M.

    The mean of e-detectors is one, under any dependence. (A product would need independence.)

    Args:
        log_m: log evidence per series [..., k].
        weights: of the series [k], not negative, with some above 0.

    >>> round(float(roll_up(np.log([1.0, 3.0]), [1, 1])), 4)
    0.6931
    """
    w = np.asarray(weights, np.float64)
    if (w < 0.0).any() or not w.sum() > 0.0:
        raise ValueError("weights must not be negative, and some must be above 0")
    with np.errstate(divide="ignore"):
        log_shares = np.log(w / w.sum())
    rolled: Floats = np.logaddexp.reduce(np.asarray(log_m, np.float64) + log_shares, axis=-1)
    return rolled
