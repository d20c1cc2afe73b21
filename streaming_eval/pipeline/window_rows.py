"""The windows of a report, each with what it is compared with."""

from __future__ import annotations

from dataclasses import dataclass

from streaming_eval.alerting import Pane, SeriesPlan
from streaming_eval.alerting.baseline import within_an_hour
from streaming_eval.alerting.detector import constant
from streaming_eval.pipeline.series_report import SeriesReport
from streaming_eval.records import SeriesKey
from streaming_eval.settings import duration_text

SINCE_BASELINE = "baseline"
SLIDING = "sliding "


@dataclass(frozen=True, slots=True)
class WindowRow:
    """One estimate to be made: one window of one report.

    Attributes:
        width_ms: None for everything since the baseline.
    """

    report: SeriesReport
    key: SeriesKey
    plan: SeriesPlan
    window: str
    window_start_ms: int | None
    width_ms: int | None
    closed: bool
    scores: Pane

    @property
    def comparator(self) -> tuple[int, ...]:
        """Counts of the baseline that the window is compared with; empty when there are none.

        Where the baseline is seasonal and the window lies within an hour, that hour's.
        """
        report, cells = self.report, self.plan.grid.cells
        if not report.pinned or constant(report.baseline, self.plan) is not None:
            return ()
        if self.width_ms is not None and within_an_hour(self.width_ms):
            return report.baseline.season(self.scores.start_ms, cells)
        return report.baseline.all_day(cells)


def rows_of(report: SeriesReport, key: SeriesKey, plan: SeriesPlan, label: str) -> list[WindowRow]:
    """Every window of a report: tumbling ones under their `label`, sliding ones, the baseline's."""

    def row(scores: Pane, label: str, width_ms: int, *, closed: bool = False) -> WindowRow:
        return WindowRow(report, key, plan, label, scores.start_ms, width_ms, closed, scores)

    width_ms = plan.window_ms
    rows = [row(window, label, width_ms, closed=True) for window in report.closed_windows]
    rows += [row(window, label, width_ms) for window in report.windows]
    rows += [
        row(sliding.window, SLIDING + duration_text(sliding.width_ms), sliding.width_ms)
        for sliding in report.sliding_windows
    ]
    since = WindowRow(report, key, plan, SINCE_BASELINE, report.since_ms, None, False, report.since)
    return [*rows, since]
