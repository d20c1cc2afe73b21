"""An alarm ends when the mean has recovered; then the detector begins anew, within its promise."""

from dataclasses import replace

import numpy as np
import pytest

from streaming_eval.alerting import (
    SeriesPlan,
    SeriesState,
    Why,
    change_estimate,
    close,
    evidence,
    observe,
)
from streaming_eval.stats.grid import Grid
from tests.alerting.series import PANE_MS, drawn, fed, panes, pinned_plan, plan, seen

PLAN = plan()
GOOD, BAD = [1, 19], [9, 11]


def test_an_alarm_ends_by_itself_when_good_scores_are_back() -> None:
    state, steps = fed([GOOD] * 5 + [BAD] * 5 + [GOOD] * 60, PLAN, SeriesState())
    assert [step.resolution and step.resolution.why for step in steps] == [None, Why.RECOVERED]
    opened, ended = steps
    assert ended.alarm == opened.alarm
    assert ended.resolution is not None
    assert ended.resolution.at_ms > opened.alarm.opened_ms
    assert state.alarm is None
    assert state.recovery_log_m == ()


def test_while_the_mean_stays_below_the_null_the_alarm_stays() -> None:
    state, steps = fed(
        [GOOD] * 5 + [BAD] * 5 + drawn([[0.2, 0.8]] * 400, 20, 1), PLAN, SeriesState()
    )
    assert len(steps) == 1
    assert state.alarm == steps[0].alarm


def test_after_a_recovery_nothing_of_the_old_evidence_is_left() -> None:
    state, steps = fed([BAD] * 5 + [GOOD] * 60, PLAN, SeriesState())
    assert steps[-1].resolution is not None
    panes_since = (steps[-1].resolution.at_ms + PANE_MS) // PANE_MS
    fresh, _ = fed([GOOD] * (65 - panes_since), PLAN, SeriesState(), first=panes_since)
    assert evidence(state, PLAN) == evidence(fresh, PLAN)
    assert change_estimate(state, PLAN) == change_estimate(fresh, PLAN)


def test_a_second_drop_opens_a_second_alarm() -> None:
    _, steps = fed(([GOOD] * 60 + [BAD] * 6) * 3 + [GOOD] * 60, PLAN, SeriesState())
    assert [step.resolution is None for step in steps] == [True, False] * 3
    assert len({step.alarm.opened_ms for step in steps}) == 3


def test_in_a_backlog_alarms_open_and_end_where_they_would_have() -> None:
    counts = ([GOOD] * 60 + [BAD] * 6) * 2 + [GOOD] * 60
    _, live = fed([*counts, GOOD], PLAN, SeriesState())
    arrived = seen([*counts, GOOD], PLAN)
    closed = close(arrived, len(counts) * PANE_MS, PLAN)
    assert [*arrived.transitions, *closed.transitions] == live


def test_an_open_pane_ends_no_alarm() -> None:
    state, _ = fed([GOOD] * 5 + [BAD] * 5, PLAN, SeriesState())
    ahead = observe(state, panes([[0, 5_000]], first=10), 9 * PANE_MS, PLAN)
    assert ahead.alarm == state.alarm is not None
    closed = observe(ahead, (), 11 * PANE_MS, PLAN)
    assert closed.alarm is None


def test_an_alarm_that_was_switched_off_meanwhile_ends_too() -> None:
    state, _ = fed([GOOD] * 5 + [BAD] * 5, PLAN, SeriesState())
    silent = replace(PLAN, alarm=False)
    state, steps = fed([GOOD] * 60, silent, state, first=10)
    assert [step.resolution and step.resolution.why for step in steps] == [Why.RECOVERED]


@pytest.mark.parametrize(
    ("grid", "good", "bad"),
    [
        (Grid(3), [1, 2, 17], [8, 4, 8]),
        (Grid(2, (0.5, 1.0)), [1, 9, 0, 10], [5, 5, 4, 6]),
    ],
    ids=["judge", "weighted"],
)
def test_finer_scales_and_weights_recover_as_well(
    grid: Grid, good: list[int], bad: list[int]
) -> None:
    watching = plan(grid=grid, baseline_constant=0.85)
    _, steps = fed([good] * 10 + [bad] * 10 + [good] * 150, watching, SeriesState())
    assert [step.resolution is None for step in steps] == [True, False]


def rounds(series_plan: SeriesPlan, shares: list[float], length: int, seed: int) -> tuple[int, int]:
    """How many alarms opened, and how many recovered, in so many panes of one path."""
    _, steps = fed(drawn([shares] * length, 10, seed), series_plan, SeriesState())
    recovered = sum(step.resolution is not None for step in steps)
    return len(steps) - recovered, recovered


@pytest.mark.slow
def test_over_all_rounds_false_alarms_keep_to_the_budget() -> None:
    """At most T / A are expected in T panes, alarm, recovery and new beginning again and again."""
    budget, length, paths = 25.0, 200, 80
    eager = plan(
        baseline_constant=0.8,
        smallest_effect=0.0,
        log_threshold=np.log(budget),
        log_suspect=np.log(4.0),
    )
    found = np.array([rounds(eager, [0.2, 0.8], length, seed) for seed in range(paths)])
    alarms, recoveries = found.T
    assert recoveries.sum() > paths / 2, "or nothing began anew"
    promised = length / budget
    spread = alarms.std(ddof=1) / paths**0.5
    assert promised / 10 < alarms.mean() <= promised + 3 * spread


@pytest.mark.slow
def test_a_series_at_the_null_is_rarely_taken_for_recovered() -> None:
    """Within T panes of an open alarm with probability at most T over the suspect's budget."""
    patient = plan(baseline_constant=0.8, smallest_effect=0.0, log_suspect=np.log(400.0))
    opened, _ = fed([[10, 10]] * 3, patient, SeriesState())
    assert opened.alarm is not None
    paths, length = 100, 60
    ended = 0
    for seed in range(paths):
        counts = drawn([[0.2, 0.8]] * length, 10, seed)
        ended += any(step.resolution for step in fed(counts, patient, opened, first=3)[1])
    promised = length / 400.0
    assert ended / paths <= promised + 3 * (promised / paths) ** 0.5


def test_a_pinned_baseline_outlives_its_alarms() -> None:
    watching = pinned_plan(100)
    state, steps = fed([GOOD] * 30 + [BAD] * 6 + [GOOD] * 60, watching, SeriesState())
    assert len(steps) == 2
    assert (state.baseline.version, state.baseline.n) == (1, 100)
    assert sum(state.since_counts) == 20 * (96 - 5 - 1), "from before the alarm, too"
