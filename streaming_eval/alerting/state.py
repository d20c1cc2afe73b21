"""What is kept of one series: plain values only, so any store can hold it."""

from __future__ import annotations

from dataclasses import dataclass

from streaming_eval.stats.e_detector import BETS, LOG_ZERO


@dataclass(frozen=True, slots=True)
class Pane:
    """Counts of a stretch of event time that begins at `start_ms`: a pane, or a window of panes."""

    start_ms: int
    counts: tuple[int, ...]

    @property
    def n(self) -> int:
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class ChangeEstimate:
    """When a drop most likely began, and how many scores have come since.

    Attributes:
        began_ms: start of the pane in which it began.
        n_since: scores from that pane on.
    """

    began_ms: int
    n_since: int


@dataclass(frozen=True, slots=True)
class Alarm:
    """How an alarm opened; it stays as it was then.

    Attributes:
        opened_ms: start of the pane whose evidence first reached the threshold.
        began_ms: start of the pane in which the drop was then estimated to have begun.
        log_evidence: log evidence at the opening.
        n_since_began: scores from `began_ms` up to the opening.
    """

    opened_ms: int
    began_ms: int
    log_evidence: float
    n_since_began: int


@dataclass(frozen=True, slots=True)
class SeriesState:
    """All that is remembered of one series; the default is a series of which nothing is known.

    Attributes:
        version: of this layout.
        open_panes: panes that the watermark has not passed, by start; each has a count.
        windows: tumbling windows not yet expired, by start, with every score counted so far.
        baseline_counts: of the baseline, being collected or pinned; empty when none.
        baseline_end_ms: where the pinned baseline ends; None while it is being collected.
        since_counts: of the closed panes after the baseline; empty when none.
        log_m: log evidence of each bet after the last closed pane.
        page_sums: per bet, the largest sum of log factors over any stretch up to now, or 0.
        page_began_ms: per bet, start of the first pane of that stretch.
        page_n: per bet, scores in that stretch.
        last_closed_ms: start of the last closed pane; None before the first.
        alarm: how the alarm opened; None while it has not.
        n_total: scores counted.
        n_late: scores that came after their pane had closed, counted nowhere else.
        n_missing: scores without a value (failed, unparsable).
    """

    version: int = 1
    open_panes: tuple[Pane, ...] = ()
    windows: tuple[Pane, ...] = ()
    baseline_counts: tuple[int, ...] = ()
    baseline_end_ms: int | None = None
    since_counts: tuple[int, ...] = ()
    log_m: tuple[float, ...] = (LOG_ZERO,) * BETS
    page_sums: tuple[float, ...] = (0.0,) * BETS
    page_began_ms: tuple[int, ...] = (0,) * BETS
    page_n: tuple[int, ...] = (0,) * BETS
    last_closed_ms: int | None = None
    alarm: Alarm | None = None
    n_total: int = 0
    n_late: int = 0
    n_missing: int = 0
