"""One's own traffic and budget, to be tried out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streaming_eval.alerting import SeriesPlan
from streaming_eval.stats.levels import mean

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS
MOST_PANES = 20_000_000
_EXACT = 1e-9


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is to be simulated. Means and drops are on [0, 1], where 1 is good.

    Attributes:
        plan: how each series is watched.
        shares: of each level while nothing is wrong, adding up to 1.
        samples_per_hour: of one series, on average; how many fall into a pane is Poisson.
        drops: losses of the mean that are to be detected.
        series: how many of them share the budget.
        once_per_ms: the budget, mean time between false alarms of all series together.
        alpha: error of the intervals.
        expected_n: scores at which the intervals are tightest.
        weeks: how long each simulated series is watched.
        streams: how many are simulated.
        seed: equal seeds give equal answers.
    """

    plan: SeriesPlan
    shares: tuple[float, ...]
    samples_per_hour: float
    drops: tuple[float, ...]
    series: int
    once_per_ms: int
    alpha: float
    expected_n: int
    weeks: int = 4
    streams: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        if abs(sum(self.shares) - 1.0) > _EXACT or min(self.shares) < 0.0:
            raise ValueError(f"shares must be 0 or more and add up to 1, got {self.shares}")
        if not self.samples_per_hour > 0.0:
            raise ValueError(f"samples per hour must be above 0, got {self.samples_per_hour:g}")
        if min(self.weeks, self.streams, self.series) < 1:
            raise ValueError("weeks, streams and series must be 1 or more")
        if bad := [drop for drop in self.drops if not 0.0 < drop <= self.mean]:
            raise ValueError(
                f"a drop must lie above 0 and not above the mean {self.mean:g} (on [0, 1], where 1 "
                f"is good), got {bad[0]:g}"
            )
        if self.panes * self.streams > MOST_PANES:
            raise ValueError(
                f"{self.streams} streams of {self.panes:,} panes are more than the {MOST_PANES:,} "
                "that are simulated at most: fewer weeks or streams, or longer panes"
            )

    @property
    def mean(self) -> float:
        return float(mean(np.asarray(self.shares)))

    @property
    def panes(self) -> int:
        """Panes in `weeks`."""
        return max(1, self.weeks * WEEK_MS // self.plan.pane_ms)

    @property
    def per_pane(self) -> float:
        """Scores in a pane, on average."""
        return self.samples_per_hour * self.plan.pane_ms / HOUR_MS
