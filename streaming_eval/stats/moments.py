"""Mean, spread and skewness of numbers without a range, as sums that merge."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class Moments:
    """How many numbers, and their central moments, free of the cancellation of plain powers.

    Merging in another order or by other parts gives the same up to rounding, not to the last bit.

    Sources: Chan, Golub, LeVeque (1983), Algorithms for computing the sample variance: analysis
    and recommendations; Pebay (2008), Formulas for robust, one-pass parallel computation of
    covariances and arbitrary-order statistical moments.

    Attributes:
        n: how many.
        mean: meaningless while n is 0.
        m2: sum of squared distances from the mean.
        m3: sum of cubed distances from the mean.
    """

    n: int = 0
    mean: float = 0.0
    m2: float = 0.0
    m3: float = 0.0

    @classmethod
    def of(cls, values: ArrayLike) -> Moments:
        """The moments of finite values, of any shape.

        >>> Moments.of([1.0, 2.0, 6.0])
        Moments(n=3, mean=3.0, m2=14.0, m3=18.0)
        """
        x = np.asarray(values, np.float64)
        if not np.isfinite(x).all():
            raise ValueError("values must be finite numbers")
        if x.size == 0:
            return cls()
        mean = float(x.mean())
        gaps = x - mean
        return cls(x.size, mean, float((gaps**2).sum()), float((gaps**3).sum()))

    def update(self, value: float) -> Moments:
        return self.merge(Moments(1, value))

    def merge(self, other: Moments) -> Moments:
        n = self.n + other.n
        if self.n == 0 or other.n == 0:
            return self if self.n else other
        gap = other.mean - self.mean
        product = self.n * other.n / n
        m3 = gap**3 * product * (self.n - other.n) / n
        m3 += 3.0 * gap * (self.n * other.m2 - other.n * self.m2) / n
        return Moments(
            n,
            self.mean + gap * other.n / n,
            self.m2 + other.m2 + gap**2 * product,
            self.m3 + other.m3 + m3,
        )

    @property
    def deviation(self) -> float | None:
        """Standard deviation, with n - 1; None for fewer than two values."""
        return sqrt(self.m2 / (self.n - 1)) if self.n >= 2 else None

    @property
    def skewness(self) -> float | None:
        """Third standardised moment; None where values do not vary."""
        return sqrt(self.n) * self.m3 / self.m2**1.5 if self.m2 > 0.0 else None
