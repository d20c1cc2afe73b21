"""Bootstrap limits for a mean, for a report that is read once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from streaming_eval.stats.interval import Interval
from streaming_eval.stats.levels import Floats

RESAMPLES = 2_000
MOST_VALUES = 50_000  # above it a mean is as normal as resampling could make it
_CELLS = 1 << 22


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Limits for a mean. Valid for one look at a planned n, in large samples.

    Attributes:
        percentile: Efron (1979), Bootstrap methods: another look at the jackknife.
        bca: corrected for bias and skewness: Efron (1987), Better bootstrap confidence intervals;
            None where no value differs from another.
    """

    percentile: Interval
    bca: Interval | None


def bootstrap_mean(values: ArrayLike, alpha: float, seed: int = 0) -> Bootstrap | None:
    """Both intervals from the same 2,000 resamples.

    None for fewer than 2 values or more than 50,000. (`scipy.stats.bootstrap` takes n^2 numbers for
    the skewness; of a mean it has a closed form.)
    """
    x = np.asarray(values, np.float64)
    if not 2 <= x.size <= MOST_VALUES:
        return None
    means = _resampled_means(x, np.random.default_rng(seed))
    tails = np.array([alpha / 2.0, 1.0 - alpha / 2.0])
    return Bootstrap(_limits(means, tails), _bca(x, means, tails))


def _resampled_means(x: Floats, rng: np.random.Generator) -> Floats:
    block = max(1, _CELLS // x.size)
    sizes = [min(block, RESAMPLES - first) for first in range(0, RESAMPLES, block)]
    return np.concatenate(
        [x[rng.integers(0, x.size, (size, x.size))].mean(axis=1) for size in sizes]
    )


def _bca(x: Floats, means: Floats, tails: Floats) -> Interval | None:
    centred = x - x.mean()
    spread = (centred**2).sum()
    if not spread:
        return None
    # Half of the resamples that hit the mean itself count as below it.
    below = (means < x.mean()).mean() + (means == x.mean()).mean() / 2.0
    if not 0.0 < below < 1.0:
        return None
    bias = ndtri(below)
    acceleration = (centred**3).sum() / (6.0 * spread**1.5)
    z = bias + ndtri(tails)
    return _limits(means, ndtr(bias + z / (1.0 - acceleration * z)))


def _limits(means: Floats, shares: Floats) -> Interval:
    lower, upper = np.quantile(means, shares)
    return Interval(float(lower), float(upper))
