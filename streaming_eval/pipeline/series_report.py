"""What the stateful step says of one series after a batch: enough to show and page, no more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from streaming_eval.alerting import (
    Alarm,
    Pane,
    SeriesPlan,
    SeriesState,
    evidence,
    pinned,
    since_baseline,
)


@dataclass(frozen=True, slots=True)
class SeriesReport:
    """One series after one batch; counts are per level, 1 on [0, 1] being good.

    Attributes:
        windows: open tumbling windows, the newest last.
        closed_windows: windows that closed with this batch and are reported for the last time.
        since_counts: every score since the baseline; all 0 while there is none.
        baseline_counts: of the pinned baseline, or what has been collected for it.
        log_evidence: of a drop, now, open panes included.
        baseline_is_new: the baseline was pinned by this batch.
        alarm_is_new: the alarm opened in this batch.
        n_late_new: scores of this batch that came late.
    """

    series_key: str
    windows: tuple[Pane, ...]
    closed_windows: tuple[Pane, ...]
    since_counts: tuple[int, ...]
    baseline_counts: tuple[int, ...]
    baseline_end_ms: int | None
    pinned: bool
    log_evidence: float
    alarm: Alarm | None
    baseline_is_new: bool
    alarm_is_new: bool
    n_total: int
    n_missing: int
    n_late: int
    n_late_new: int = 0


def report(
    key: str,
    before: SeriesState,
    after: SeriesState,
    closed: tuple[Pane, ...],
    plan: SeriesPlan,
) -> SeriesReport:
    """The report on a series whose state went from `before` to `after`."""
    return SeriesReport(
        series_key=key,
        windows=after.windows,
        closed_windows=closed,
        since_counts=since_baseline(after, plan),
        baseline_counts=after.baseline_counts,
        baseline_end_ms=after.baseline_end_ms,
        pinned=pinned(after, plan),
        log_evidence=evidence(after, plan),
        alarm=after.alarm,
        baseline_is_new=before.baseline_end_ms is None and after.baseline_end_ms is not None,
        alarm_is_new=before.alarm is None and after.alarm is not None,
        n_total=after.n_total,
        n_missing=after.n_missing,
        n_late=after.n_late,
        n_late_new=after.n_late - before.n_late,
    )


def one_per_series(reports: Iterable[SeriesReport]) -> list[SeriesReport]:
    """The last report on each series, with what its earlier ones announced.

    A batch advances a series once for its rows and once for each of its timers that expires.

    Args:
        reports: of one batch; those on one series in order.
    """
    latest: dict[str, SeriesReport] = {}
    for new in reports:
        old = latest.get(new.series_key)
        latest[new.series_key] = new if old is None else _joined(old, new)
    return list(latest.values())


def _joined(old: SeriesReport, new: SeriesReport) -> SeriesReport:
    return replace(
        new,
        closed_windows=old.closed_windows + new.closed_windows,
        baseline_is_new=old.baseline_is_new or new.baseline_is_new,
        alarm_is_new=old.alarm_is_new or new.alarm_is_new,
        n_late_new=old.n_late_new + new.n_late_new,
    )
