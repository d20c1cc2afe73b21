"""Scores as counts on a small grid: what every interval and every alarm is computed from.

Counts add, so they do not depend on the order of arrival, the cut into batches or the partition.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

MOST_LEVELS = 65
FINEST_LEVELS = 129  # of a logarithmic scale, whose values are spread over many powers of ten
_ON_GRID = 1e-9  # in grid steps; an affine map of a grid value errs by far less


@dataclass(frozen=True, slots=True)
class Scale:
    """A scorer's declared range and how finely it is counted.

    Attributes:
        low: smallest value on the scorer's own scale.
        high: largest value; values beyond either end count as that end.
        higher_is_better: direction of the scorer's own scale.
        levels: grid points from `low` to `high`, ends included: 2 for pass/fail, 65 at most, 129
            where it is logarithmic.
        logarithmic: grid points lie equally far apart in log(1 + (value - low) / least), so that
            they tell small values apart as well as large ones. A mean on [0, 1] is then the
            geometric mean of least + value - low, which few very large values hardly move.
        least: unit of a logarithmic scale, above 0: values much below it are all alike.
    """

    low: float
    high: float
    higher_is_better: bool
    levels: int
    logarithmic: bool = False
    least: float = 1.0

    def __post_init__(self) -> None:
        if not (np.isfinite([self.low, self.high]).all() and self.low < self.high):
            raise ValueError(f"low must be less than high, got {self.low} and {self.high}")
        most = FINEST_LEVELS if self.logarithmic else MOST_LEVELS
        if not 2 <= self.levels <= most:
            raise ValueError(f"levels must be 2 to {most}, got {self.levels}")
        if not 0.0 < self.least < np.inf:
            raise ValueError(f"least must be above 0, got {self.least}")

    @property
    def span(self) -> float:
        """Distance between the ends."""
        return self.high - self.low

    @property
    def _log_span(self) -> float:
        return float(np.log1p(self.span / self.least))

    def unit(self, values: ArrayLike) -> Floats:
        """Own-scale values on [0, 1], where 1 is good.

        >>> Scale(0, 60_000, False, 65).unit([0, 45_000, 90_000]).tolist()
        [1.0, 0.25, 0.0]
        >>> Scale(0, 999, True, 4, logarithmic=True).unit([0, 99, 999]).round(9).tolist()
        [0.0, 0.666666667, 1.0]
        """
        above = np.clip(np.asarray(values, np.float64) - self.low, 0.0, self.span)
        share: Floats = above / self.span
        if self.logarithmic:
            share = np.log1p(above / self.least) / self._log_span
        return share if self.higher_is_better else 1.0 - share

    def raw(self, unit: ArrayLike) -> Floats:
        """Values of [0, 1] on the scorer's own scale: the inverse of `unit`."""
        good = np.asarray(unit, np.float64)
        share = good if self.higher_is_better else 1.0 - good
        if self.logarithmic:
            share = np.expm1(share * self._log_span) / (self.span / self.least)
        return self.low + share * self.span

    def part(self, ratio: float) -> float:
        """How far apart on [0, 1] two values lie of which one is `ratio` larger than the other.

        Only on a logarithmic scale is it the same everywhere; near `low`, where least + value - low
        is not the value, it is less.

        >>> round(Scale(0, 60_000, False, 65, logarithmic=True).part(0.25), 4)
        0.0203
        """
        if not self.logarithmic:
            raise ValueError("a ratio has no fixed length on an even scale")
        return float(np.log1p(ratio) / self._log_span)

    def difference(self) -> Scale:
        """The scale of own value minus other's value on the same sample; an even one.

        >>> Scale(1, 3, True, 3).difference()
        Scale(low=-2, high=2, higher_is_better=True, levels=5, logarithmic=False, least=1.0)
        """
        levels = min(2 * self.levels - 1, MOST_LEVELS)
        return Scale(-self.span, self.span, self.higher_is_better, levels)


@cache
def level_values(levels: int) -> Floats:
    """What each level is worth on [0, 1]; not to be written to."""
    values = np.linspace(0.0, 1.0, levels)
    values.flags.writeable = False
    return values


def uniforms(hashes: NDArray[np.int64] | NDArray[np.uint64]) -> Floats:
    """Well-mixed 64-bit hashes as numbers in [0, 1): the 53 highest bits of each."""
    top_bits = np.ascontiguousarray(hashes).view(np.uint64) >> np.uint64(11)
    return top_bits.astype(np.float64) * 2.0**-53


def mixed(hashes: NDArray[np.uint64], salt: int) -> NDArray[np.uint64]:
    """Hashes that look independent of `hashes` and of those mixed with any other salt.

    The finaliser of SplitMix64 (Steele, Lea, Flood 2014, "Fast Splittable Pseudorandom Number
    Generators"), with the multipliers of Stafford's variant 13.
    """
    z = hashes + np.uint64(salt)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def to_levels(values: ArrayLike, scale: Scale, uniforms: Floats) -> Counts:
    """The level of each value, rounded up with probability equal to the part beyond the grid point.

    So the mean level value is the mean value in expectation, and a value on the grid is exact.
    The uniform must come from the sample's identity: then a replay repeats the rounding.

    Args:
        values: own-scale values; any that is not finite is an error, never a level.
        scale: their scale.
        uniforms: one number in [0, 1) per value, independent of it.
    """
    own = np.asarray(values, np.float64)
    if not np.isfinite(own).all():
        raise ValueError("a score must be a finite number")
    position = scale.unit(own) * (scale.levels - 1)
    nearest = np.rint(position)
    drawn = np.floor(position) + (uniforms < position % 1.0)
    return np.where(np.abs(position - nearest) <= _ON_GRID, nearest, drawn).astype(np.int64)


def mean(counts: ArrayLike) -> Floats:
    """Mean on [0, 1] of counts [..., K], one per row; NaN where there is no count.

    >>> float(mean([1, 0, 3]))
    0.75
    """
    n_at = np.asarray(counts, np.float64)
    n = n_at.sum(axis=-1)
    total = (n_at * level_values(n_at.shape[-1])).sum(axis=-1)
    average: Floats = np.divide(total, n, out=np.full_like(n, np.nan), where=n > 0)
    return average
