"""A confidence sequence for a quantile, such as the 95th percentile of latency."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, inf, log

from streaming_eval.stats.beta_binomial import BetaBinomial
from streaming_eval.stats.interval import Interval
from streaming_eval.stats.log_buckets import LogBuckets


@dataclass(frozen=True, slots=True)
class QuantileSequence:
    """Limits for a quantile that hold at every n at once with probability 1 - alpha.

    How many values lie below the quantile is a count of passes at rate p. So long as the evidence
    against that rate is small, the count is between two ranks, and the quantile between the values
    of these ranks. Where several values equal the quantile, count any part of them: at least the
    values below it, at most also its equals; one part makes the rate p exactly, so the ranks hold
    for every distribution. Nothing is assumed of it; values given the past must have the same
    quantile.

    Source: Howard, Ramdas (2022), Sequential estimation of quantiles with applications to A/B
    testing and best-arm identification.

    Attributes:
        p: share of values below the quantile, in (0, 1).
        alpha: probability that the quantile is ever outside, in (0, 1).
        expected_n: number of values at which the interval shall be tightest.
    """

    p: float
    alpha: float
    expected_n: float

    def __post_init__(self) -> None:
        if not 0.0 < self.p < 1.0:
            raise ValueError(f"p must lie in (0, 1), got {self.p}")
        BetaBinomial(self.alpha, self.expected_n)

    def ranks(self, n: int) -> tuple[int, int]:
        """Ranks whose values enclose the quantile; 0 and n + 1 where no value does.

        >>> QuantileSequence(0.5, alpha=0.05, expected_n=1_000).ranks(1_000)
        (451, 550)
        """
        return self._fewest(n), n + 1 - self._mirrored()._fewest(n)

    def interval(self, buckets: LogBuckets) -> Interval:
        """The limits on the values' scale, rounded outward to edges of buckets.

        0 and infinity are the whole range. The p-quantile has a finite upper limit only once n is
        several times 1 / (1 - p).

        >>> QuantileSequence(0.99, alpha=0.05, expected_n=1_000).interval(LogBuckets())
        Interval(lower=0.0, upper=inf)
        """
        n = buckets.n
        low, high = self.ranks(n)
        lower = buckets.holding(low).lower if low >= 1 else 0.0
        upper = buckets.holding(high).upper if high <= n else inf
        return Interval(lower, upper)

    def _mirrored(self) -> QuantileSequence:
        """The same counted from the largest value down."""
        return QuantileSequence(1.0 - self.p, self.alpha, self.expected_n)

    def _fewest(self, n: int) -> int:
        """The smallest count of values up to the quantile that is not refuted, by bisection."""
        refuted, open_still = -1, floor(n * self.p)
        while open_still - refuted > 1:
            middle = (refuted + open_still) // 2
            if self._evidence(middle, n) >= log(1.0 / self.alpha):
                refuted = middle
            else:
                open_still = middle
        return open_still

    def _evidence(self, below: int, n: int) -> float:
        bets = BetaBinomial(self.alpha, self.expected_n)
        return float(bets.log_evidence(below, n - below, self.p))
