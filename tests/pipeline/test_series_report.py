"""A batch that advances a series several times says one thing of it."""

from __future__ import annotations

from dataclasses import replace

from streaming_eval.alerting import Alarm, Pane, Resolution, Transition, Why
from streaming_eval.pipeline.series_report import one_per_series
from streaming_eval.records import SeriesKey
from tests.pipeline.reports import report

KEY = SeriesKey("assistant", "__all__", "contains", "0f3a")
OPENED = Transition(Alarm(60_000, 0, 12.5, 40))
RESOLVED = Transition(OPENED.alarm, Resolution(Why.RECOVERED, 120_000))
OTHER_KEY = SeriesKey("assistant", "__all__", "judge", "0f3a")


def test_the_last_report_stands_with_what_earlier_ones_announced() -> None:
    rows = replace(
        report(KEY, (1, 2), closed=(3, 4), late=2, late_new=2),
        baseline_is_new=True,
        transitions=(OPENED,),
    )
    timer = replace(
        report(KEY, (1, 3), late=2),
        closed_windows=(Pane(60_000, (5, 6)),),
        baseline_is_new=False,
        transitions=(RESOLVED,),
    )
    (joined,) = one_per_series([rows, timer])
    assert joined.windows == timer.windows
    assert joined.closed_windows == (Pane(0, (3, 4)), Pane(60_000, (5, 6)))
    assert joined.transitions == (OPENED, RESOLVED)
    assert (joined.baseline_is_new, joined.n_late_new) == (True, 2)


def test_reports_on_different_series_are_left_alone() -> None:
    reports = [report(KEY, (1, 0)), report(OTHER_KEY, (0, 1))]
    assert one_per_series(reports) == reports
