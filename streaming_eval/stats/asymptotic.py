"""A confidence sequence for a mean without a range: it holds for many values, not for few."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, sqrt

from scipy.special import lambertw

from streaming_eval.stats.interval import Interval
from streaming_eval.stats.moments import Moments

_FEWEST = 300
_SKEWED = 3.0


@dataclass(frozen=True, slots=True)
class AsymptoticSequence:
    """Limits for a mean that nearly hold at every large n at once with probability 1 - alpha.

    Supported: independent values of one distribution with a variance, at n of 300 or more.
    Not supported: pass rates and other scores with a range, which have exact intervals; at a pass
    rate of .98 this one misses ten times as often as it says. Where values are so skewed that
    `is_skewed`, it misses more often than alpha too: show quantiles or exceedance rates instead.

    Source: Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas (2024), Time-uniform central limit theory
    and asymptotic confidence sequences.

    Attributes:
        alpha: probability that the mean is ever outside, in (0, 1), nearly.
        expected_n: number of values at which the interval shall be tightest.
    """

    alpha: float
    expected_n: float

    def __post_init__(self) -> None:
        if not 0.0 < self.alpha < 1.0:
            raise ValueError(f"alpha must lie in (0, 1), got {self.alpha}")
        if not self.expected_n >= 1.0:
            raise ValueError(f"expected_n must be 1 or more, got {self.expected_n}")

    @property
    def fewest(self) -> float:
        """Number of values below which nothing is said.

        >>> AsymptoticSequence(0.05, expected_n=10_000).fewest
        2500.0
        """
        return max(float(_FEWEST), self.expected_n / 4.0)

    def interval(self, moments: Moments) -> Interval | None:
        """The limits on the values' own scale; None while there are too few values."""
        deviation = moments.deviation
        if deviation is None or moments.n < self.fewest:
            return None
        radius = deviation * radius_per_deviation(moments.n, self.alpha, self._rho_squared())
        return Interval(moments.mean - radius, moments.mean + radius)

    def _rho_squared(self) -> float:
        """What makes the interval tightest at `expected_n`: where x + 1 = alpha^2 e^x, over n."""
        lower_branch = lambertw(-exp(2.0 * log(self.alpha) - 1.0), -1)
        return (-float(lower_branch.real) - 1.0) / self.expected_n


def radius_per_deviation(n: int, alpha: float, rho_squared: float) -> float:
    """Half width of the interval for n values, in standard deviations."""
    x = n * rho_squared
    return sqrt(2.0 * (x + 1.0) / (n * x) * log(sqrt(x + 1.0) / alpha))


def is_skewed(moments: Moments) -> bool:
    """Whether values are too skewed for the interval to be believed: beyond 3, either way."""
    return moments.skewness is not None and abs(moments.skewness) > _SKEWED
