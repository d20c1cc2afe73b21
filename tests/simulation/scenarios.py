"""A scenario to vary."""

from dataclasses import replace
from typing import Any

from streaming_eval.alerting import SeriesPlan, fleet_thresholds
from streaming_eval.simulation import Scenario
from streaming_eval.stats.grid import Grid

WEEK_MS = 604_800_000
PANE_MS = 3_600_000


def series_plan(levels: int = 2, series: int = 1, **changes: Any) -> SeriesPlan:  # noqa: ANN401
    """Hourly panes, a baseline of 1,000 scores, one false alarm a week over all `series`."""
    thresholds = fleet_thresholds(WEEK_MS, PANE_MS, series)
    plan = SeriesPlan(
        grid=Grid(levels),
        pane_ms=PANE_MS,
        window_ms=PANE_MS,
        baseline_samples=1_000,
        baseline_constant=None,
        smallest_effect=0.02,
        log_threshold=thresholds.log_threshold,
        log_suspect=thresholds.log_suspect,
        alarm=True,
    )
    return replace(plan, **changes)


def scenario(plan: SeriesPlan | None = None, **changes: Any) -> Scenario:  # noqa: ANN401
    """100 pass/fail scores an hour, pass rate .9, and a drop of 10 points, but for `changes`."""
    usual = Scenario(
        plan=plan or series_plan(),
        shares=(0.1, 0.9),
        samples_per_hour=100.0,
        drops=(0.1,),
        series=1,
        once_per_ms=WEEK_MS,
        alpha=0.05,
        expected_n=1_000,
        weeks=1,
        streams=60,
        seed=1,
    )
    return replace(usual, **changes)
