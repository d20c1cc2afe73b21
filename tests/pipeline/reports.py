"""Reports of the stateful step, made up."""

from __future__ import annotations

from collections.abc import Sequence

from streaming_eval.alerting import Alarm, Baseline, Pane, Transition
from streaming_eval.pipeline.series_report import SeriesReport
from streaming_eval.records import SeriesKey


def report(
    key: SeriesKey,
    window: Sequence[int] = (),
    *,
    closed: Sequence[int] = (),
    since: Sequence[int] = (),
    baseline: Sequence[int] = (),
    pinned: bool = False,
    alarm: Alarm | None = None,
    log_evidence: float = -700.0,
    missing: int = 0,
    late: int = 0,
    lacking: int = 0,
    late_new: int = 0,
) -> SeriesReport:
    """One open window at 300,000 ms, one closed at 0, and what is known since the baseline."""
    levels = len(window) or len(closed) or len(since) or 2
    return SeriesReport(
        series_key=str(key),
        windows=(Pane(300_000, tuple(window), missing),) if window else (),
        closed_windows=(Pane(0, tuple(closed)),) if closed else (),
        sliding_windows=(),
        since=Pane(60_000, tuple(since) or (0,) * levels),
        since_ms=60_000 if baseline and pinned else None,
        baseline=Baseline(
            tuple(baseline), 0, 60_000 if pinned else None, 1 if baseline and pinned else 0
        ),
        pinned=pinned,
        baseline_missing=lacking,
        log_evidence=log_evidence,
        alarm=alarm,
        baseline_is_new=False,
        transitions=(Transition(alarm),) if alarm else (),
        n_total=sum(window),
        n_missing=missing,
        n_late=late,
        n_late_new=late_new,
    )
