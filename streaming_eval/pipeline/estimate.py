"""What is published of one series over one window."""

from __future__ import annotations

from dataclasses import dataclass

from streaming_eval.alerting import DriftState, MonitorState
from streaming_eval.records import SeriesKey


@dataclass(frozen=True, slots=True)
class DriftEstimate:
    """What is said of a series' distribution.

    Attributes:
        cells: those that speak most for a drift, in words, strongest first.
    """

    log_evidence: float
    log_threshold: float
    state: DriftState
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QuantileEstimate:
    """One quantile of a quantity, on its own scale.

    Attributes:
        p: share of values below it, such as .95.
        value: of the scores.
        lower: of the confidence sequence.
        upper: likewise; None while no finite limit can be said.
    """

    p: float
    value: float
    lower: float
    upper: float | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """One series over one window, as published; values on the scorer's own scale.

    Attributes:
        window: label; `baseline` for everything since the baseline, `sliding` with a width for the
            last windows together.
        window_start_ms: None for `baseline` when everything counts.
        mean: None while nothing is known; then lower and upper are the whole range.
        effect: how far the mean lies from what it is compared with, with its interval. A model's
            own series is compared with its baseline, None while there is none; a paired series is
            itself the difference to the other model.
        missing: scores of the window without a value.
        late: scores of the series that came too late, since it began.
        baseline_n: scores in the baseline, or collected for it so far.
        baseline_version: which baseline of the series is in force; 0 for none of its own.
        baseline_missing: scores that it lacks to be compared with.
        drift: of the distribution; None where none is watched. The same in all windows.
        quantiles: of a quantity's own scores; empty for others, where weights count and for none.
    """

    key: SeriesKey
    window: str
    window_start_ms: int | None
    closed: bool
    counts: tuple[int, ...]
    missing: int
    late: int
    mean: float | None
    lower: float
    upper: float
    alpha: float
    baseline_n: int
    baseline_version: int
    baseline_missing: int
    baseline_mean: float | None
    effect: float | None
    effect_lower: float | None
    effect_upper: float | None
    log_evidence: float
    log_threshold: float
    state: MonitorState
    drift: DriftEstimate | None = None
    quantiles: tuple[QuantileEstimate, ...] = ()

    @property
    def n(self) -> int:
        return sum(self.counts)
