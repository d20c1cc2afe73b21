"""The t-test that may be looked at after every difference."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log, sqrt

import numpy as np
from numpy.typing import ArrayLike

from streaming_eval.stats.interval import Interval


@dataclass(frozen=True, slots=True)
class Sums:
    """What is kept of a series of differences. Adds up over any cut of the series.

    Attributes:
        n: how many.
        total: their sum.
        squares: sum of their squares.
    """

    n: int = 0
    total: float = 0.0
    squares: float = 0.0

    @classmethod
    def of(cls, differences: ArrayLike) -> Sums:
        """The sums of these.

        >>> Sums.of([1.0, -2.0])
        Sums(n=2, total=-1.0, squares=5.0)
        """
        d = np.asarray(differences, np.float64)
        return cls(d.size, float(d.sum()), float((d * d).sum()))

    def merge(self, other: Sums) -> Sums:
        """The sums of both series together."""
        return Sums(self.n + other.n, self.total + other.total, self.squares + other.squares)

    @property
    def mean(self) -> float | None:
        """None where there is none."""
        return self.total / self.n if self.n else None

    @property
    def deviations(self) -> float:
        """Sum of squared distances from the mean."""
        return max(self.squares - self.total**2 / self.n, 0.0) if self.n else 0.0


@dataclass(frozen=True, slots=True)
class TProcess:
    """Evidence about the mean of differences that are about normal, variance unknown.

    The density of the t statistic, averaged over a normal prior of the standardised mean with
    variance 1 / g, over its density when the mean is 0. Exact at every moment for normal
    differences; for others right only in large samples, and very slow where tails are heavy: use
    `SignedRank` there.

    Sources: Lindon, Ham, Tingley, Bojinov (2022), Anytime-valid linear models and regression
    adjusted causal inference in randomized experiments; Wang, Ramdas (2025), Anytime-valid t-tests
    and confidence sequences for Gaussian means with unknown variance.

    Attributes:
        g: precision of the prior, > 0. Tightest where the mean is about 1 / sqrt(g) standard
            deviations; a poor choice costs samples, never validity.
    """

    g: float = 100.0

    def __post_init__(self) -> None:
        if not self.g > 0.0:
            raise ValueError(f"g must be above 0, got {self.g}")

    def log_evidence(self, sums: Sums, mean: float = 0.0) -> float:
        """Log evidence against "the mean is `mean`".

        >>> round(TProcess().log_evidence(Sums(n=100, total=30.0, squares=109.0)), 3)
        1.761
        """
        if not sums.n:
            return 0.0
        r, spread = self.g / (self.g + sums.n), sums.deviations
        moved = sums.n * (sums.total / sums.n - mean) ** 2  # t squared times spread / (n - 1)
        if not moved:
            return 0.5 * log(r)
        # With no spread at all, t is infinite and the ratio still finite.
        return 0.5 * log(r) + 0.5 * sums.n * log((spread + moved) / (spread + r * moved))

    def log_evidence_worse(self, sums: Sums) -> float:
        """Log evidence against "the mean is 0 or more": the least over all of these means.

        The least of several such processes is one against all their hypotheses together.
        """
        if sums.n and sums.total >= 0.0:
            return self.log_evidence(sums, sums.total / sums.n)
        return self.log_evidence(sums)

    def interval(self, sums: Sums, alpha: float) -> Interval:
        """Limits for the mean, at all times at once with probability 1 - alpha; else infinite."""
        if sums.n < 2:
            return Interval(-inf, inf)
        r = self.g / (self.g + sums.n)
        q = (r * alpha**2) ** (1.0 / sums.n)
        if q <= r:
            return Interval(-inf, inf)
        half = sqrt(sums.deviations / sums.n * (1.0 - q) / (q - r))
        centre = sums.total / sums.n
        return Interval(centre - half, centre + half)
