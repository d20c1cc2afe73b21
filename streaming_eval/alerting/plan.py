"""What a series' monitor needs to know, as values, and the fleet's false-alarm budget."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

from streaming_eval.alerting.baseline import HOURS, within_an_hour
from streaming_eval.alerting.drift import DriftPlan
from streaming_eval.stats.fleet_budget import FleetBudget
from streaming_eval.stats.grid import Grid


@dataclass(frozen=True, slots=True)
class SeriesPlan:
    """How one series is watched. Means and effects are on [0, 1], where 1 is good.

    Attributes:
        grid: cells that its scores are counted in.
        pane_ms: width of a pane, the alarm's clock.
        window_ms: width of a tumbling window, a whole number of panes.
        baseline_samples: scores that pin the baseline, and that any other needs, too; None when it
            is a constant.
        baseline_constant: the known mean; None when the baseline is pinned.
        smallest_effect: the drop that is not worth a page.
        log_threshold: log evidence that opens the alarm.
        log_suspect: log evidence that is worth a look.
        alarm: whether the alarm may open at all.
        baseline_alpha: probability that a pinned baseline's lower bound exceeds its mean.
        seasons: parts of the baseline that the series collects: 1, or 24 for the hours of the day.
        sliding_ms: widths of sliding windows, each a whole number of windows.
        maturity_ms: age at which panes count; younger ones are neither looked at nor shown.
        drift: how the distribution of its scores is watched; None when it is not.
        judged: whether a lower mean is worse; otherwise no evidence of a drop is reported.
    """

    grid: Grid
    pane_ms: int
    window_ms: int
    baseline_samples: int | None
    baseline_constant: float | None
    smallest_effect: float
    log_threshold: float
    log_suspect: float
    alarm: bool
    baseline_alpha: float = 0.05
    seasons: int = 1
    sliding_ms: tuple[int, ...] = ()
    maturity_ms: int = 0
    drift: DriftPlan | None = None
    judged: bool = True

    def __post_init__(self) -> None:
        self._check_widths()
        self._check_baseline()

    @property
    def looks_early(self) -> bool:
        """Whether a pane may be looked at before it is closed."""
        return self.maturity_ms == 0

    @property
    def log_recovered(self) -> float:
        """Log evidence of a recovery that ends an alarm.

        A wrong end costs a second alarm, not a false one, so it need not be as rare as those: a
        series that has not recovered is taken for one that has no more often than once per budget.
        """
        return self.log_suspect

    @property
    def longest_sliding_ms(self) -> int:
        return max(self.sliding_ms, default=0)

    def _check_widths(self) -> None:
        if self.pane_ms <= 0 or self.window_ms <= 0 or self.maturity_ms < 0:
            raise ValueError("panes and windows are longer than 0 ms, maturity is no less")
        if self.window_ms % self.pane_ms:
            raise ValueError("a window must be a whole number of panes")
        if any(width <= 0 or width % self.window_ms for width in self.sliding_ms):
            raise ValueError("a sliding window must be a whole number of windows")

    def _check_baseline(self) -> None:
        if self.seasons not in (1, HOURS):
            raise ValueError(f"a baseline has 1 season or {HOURS}, not {self.seasons}")
        if self.seasons > 1 and not within_an_hour(self.pane_ms):
            raise ValueError("an hour of a seasonal baseline must be a whole number of panes")
        if (self.baseline_samples is None) == (self.baseline_constant is None):
            raise ValueError("a baseline is either pinned by samples or a constant")
        if self.baseline_samples is not None and self.baseline_samples < 1:
            raise ValueError("a pinned baseline needs at least one sample")
        if self.baseline_constant is not None and not 0.0 <= self.baseline_constant <= 1.0:
            raise ValueError(f"a constant baseline lies in [0, 1], not {self.baseline_constant}")
        if self.alarm and not self.judged:
            raise ValueError("there is no alarm of a drop where lower is not worse")
        if not (0.0 <= self.smallest_effect < 1.0 and 0.0 < self.baseline_alpha < 0.5):
            raise ValueError("smallest_effect lies in [0, 1), baseline_alpha in (0, 1/2)")


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Log evidence at which one series of a fleet is suspect, and at which its alarm opens."""

    log_suspect: float
    log_threshold: float


def fleet_thresholds(once_per_ms: int, pane_ms: int, shares: float) -> Thresholds:
    """Thresholds that keep a whole fleet to one false alarm per `once_per_ms` on average.

    The chance of any false alarm, and how many series are falsely alarmed on average, follow from
    the budget alone, whatever the dependence between series: see `FleetBudget`.

    Args:
        once_per_ms: mean time to the fleet's first false alarm, at least.
        pane_ms: the alarm's clock.
        shares: of how many equal shares of the budget this series gets one: the number of alarmed
            series, or with weights the sum of all weights over its own. Fixed before the data:
            count the series that may exist, not those seen.

    >>> round(fleet_thresholds(604_800_000, 300_000, 5_000).log_threshold, 1)
    16.1
    """
    budget = FleetBudget(once_per_ms / pane_ms, total_weight=shares)
    return Thresholds(log(budget.panes), budget.log_threshold(1.0))
