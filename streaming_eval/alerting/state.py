"""What is kept of one series: plain values only, so any store can hold it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from streaming_eval.alerting.alarm import Alarm, Transition
from streaming_eval.alerting.baseline import NO_BASELINE, Baseline
from streaming_eval.alerting.drift import NO_DRIFT, Drift
from streaming_eval.stats.e_detector import BETS, LOG_ZERO


@dataclass(frozen=True, slots=True)
class Pane:
    """Counts of a stretch of event time that begins at `start_ms`: a pane, or a window of panes.

    Attributes:
        counts: scores per cell of the series' grid.
        missing: scores without a value (failed, unparsable).
    """

    start_ms: int
    counts: tuple[int, ...]
    missing: int = 0

    @property
    def n(self) -> int:
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class SeriesState:
    """All that is remembered of one series; the default is a series of which nothing is known.

    Attributes:
        version: of this layout.
        open_panes: panes that are not closed yet, by start.
        windows: tumbling windows that are not closed yet, by start, with every score that counts.
        past_windows: closed ones that sliding windows still need, by start.
        baseline: what the series is compared with, or what has been collected for it.
        since_ms: where "since the baseline" begins; None when everything counts, or nothing yet.
        since_counts: of the closed panes since then; empty when none.
        since_missing: scores without a value in those panes.
        armed_from_ms: panes that begin earlier do not tick the detector; None when all do.
        log_m: log evidence of each bet after the last closed pane.
        page_sums: per bet, the largest sum of log factors over any stretch up to now, or 0.
        page_began_ms: per bet, start of the first pane of that stretch.
        page_n: per bet, scores in that stretch.
        recovery_log_m: log evidence of each bet on a recovery; empty while no alarm is open.
        last_closed_ms: start of the last closed pane; None before the first.
        alarm: how the open alarm opened; None while none is open.
        drift: of the distribution of scores since the baseline.
        transitions: what the last batch did to alerts.
        n_total: scores counted.
        n_late: scores that came after their pane had closed, counted nowhere else.
        n_missing: scores without a value, late ones too.
    """

    version: int = 2
    open_panes: tuple[Pane, ...] = ()
    windows: tuple[Pane, ...] = ()
    past_windows: tuple[Pane, ...] = ()
    baseline: Baseline = NO_BASELINE
    since_ms: int | None = None
    since_counts: tuple[int, ...] = ()
    since_missing: int = 0
    armed_from_ms: int | None = None
    log_m: tuple[float, ...] = (LOG_ZERO,) * BETS
    page_sums: tuple[float, ...] = (0.0,) * BETS
    page_began_ms: tuple[int, ...] = (0,) * BETS
    page_n: tuple[int, ...] = (0,) * BETS
    recovery_log_m: tuple[float, ...] = ()
    last_closed_ms: int | None = None
    alarm: Alarm | None = None
    drift: Drift = NO_DRIFT
    transitions: tuple[Transition, ...] = ()
    n_total: int = 0
    n_late: int = 0
    n_missing: int = 0

    def armed(self, pane: Pane) -> bool:
        """Whether the pane ticks the detector: it holds a score and is not set aside."""
        set_aside = self.armed_from_ms is not None and pane.start_ms < self.armed_from_ms
        return any(pane.counts) and not set_aside

    def counts_since(self, pane: Pane) -> bool:
        """Whether the pane belongs to the time since the baseline."""
        return self.since_ms is None or pane.start_ms >= self.since_ms


def disarmed(state: SeriesState) -> SeriesState:
    """The state with detectors that have seen nothing, and no open alarm."""
    return replace(
        state,
        log_m=(LOG_ZERO,) * BETS,
        page_sums=(0.0,) * BETS,
        page_began_ms=(0,) * BETS,
        page_n=(0,) * BETS,
        recovery_log_m=(),
        alarm=None,
        drift=NO_DRIFT,
    )
