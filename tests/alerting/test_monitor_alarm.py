"""The alarm: opens once, early where it can, never alone on noise, and says when it began."""

from dataclasses import replace

import numpy as np
import pytest

from streaming_eval.alerting import SeriesState, change_estimate, close, evidence, observe
from streaming_eval.stats.grid import Grid
from tests.alerting.series import (
    FAR_MS,
    PANE_MS,
    at,
    drawn,
    panes,
    pinned_plan,
    plan,
    seen,
    watched,
)

PLAN = plan()
GOOD, BAD = [2, 18], [9, 11]


def test_the_alarm_opens_in_a_pane_that_is_still_open() -> None:
    state = observe(SeriesState(), panes([GOOD] * 3 + [BAD] * 2), -FAR_MS, PLAN)
    assert state.last_closed_ms is None
    assert state.alarm is not None
    assert state.alarm.opened_ms == 4 * PANE_MS
    assert state.alarm.began_ms == 3 * PANE_MS
    assert state.alarm.n_since_began == 40
    assert state.alarm.log_evidence >= PLAN.log_threshold


def test_a_look_at_an_open_pane_leaves_the_closed_ones_alone() -> None:
    quiet = plan(alarm=False)
    closed = watched([GOOD] * 3, quiet)
    looked = observe(closed, panes([BAD] * 2, first=3), 3 * PANE_MS, PLAN)
    assert looked.log_m == closed.log_m
    assert looked.page_sums == closed.page_sums
    assert evidence(looked, PLAN) > evidence(closed, PLAN)


def test_evidence_does_not_change_when_a_pane_closes_as_it_is() -> None:
    state = seen([GOOD] * 3 + [BAD] * 4, plan(alarm=False))
    after = close(state, FAR_MS, PLAN)
    assert evidence(after, PLAN) == evidence(state, PLAN)
    assert change_estimate(after, PLAN) == change_estimate(state, PLAN)


def test_an_alarm_stays_as_it_opened() -> None:
    opened = observe(SeriesState(), panes([BAD] * 4), -FAR_MS, PLAN)
    recovered = observe(opened, panes([[0, 200]] * 50, first=4), -FAR_MS, PLAN)
    assert evidence(recovered, PLAN) < PLAN.log_suspect
    assert recovered.alarm == opened.alarm


def test_in_a_backlog_the_alarm_is_dated_where_it_would_have_opened() -> None:
    counts = [GOOD] * 30 + [BAD] * 30
    at_once = watched(counts, PLAN)
    live = SeriesState()
    for index, row in enumerate(counts):
        live = observe(live, panes([row], first=index), index * PANE_MS, PLAN)
    live = close(live, FAR_MS, PLAN)
    assert at_once.alarm == live.alarm
    assert at_once == live


def test_a_series_without_an_alarm_gathers_evidence_only() -> None:
    quiet = plan(alarm=False)
    state = watched([BAD] * 20, quiet)
    assert state.alarm is None
    assert evidence(state, quiet) > quiet.log_threshold


def test_empty_panes_add_no_evidence() -> None:
    together, apart = at({0: BAD, PANE_MS: BAD}), at({0: BAD, 99 * PANE_MS: BAD})
    assert evidence(observe(SeriesState(), together, -FAR_MS, PLAN), PLAN) == evidence(
        observe(SeriesState(), apart, -FAR_MS, PLAN), PLAN
    )


def test_nothing_points_to_a_drop_while_scores_are_perfect() -> None:
    assert change_estimate(watched([[0, 20]] * 10, PLAN), PLAN) is None


def test_a_drop_is_dated_close_to_where_it_began() -> None:
    """Pass rate .95 to .75 at pane 60 of 20 scores each."""
    shares = [[0.05, 0.95]] * 60 + [[0.25, 0.75]] * 60
    alarms = [watched(drawn(shares, 20, seed), PLAN).alarm for seed in range(40)]
    began = np.array([alarm.began_ms // PANE_MS for alarm in alarms if alarm is not None])
    assert len(began) == 40
    assert abs(np.median(began) - 60) <= 1
    assert (np.abs(began - 60) <= 8).mean() >= 0.9


def test_a_judge_scale_raises_its_alarm_too() -> None:
    judge = plan(grid=Grid(3), baseline_constant=0.75)
    shares = [[0.15, 0.2, 0.65]] * 100 + [[0.3, 0.2, 0.5]] * 100
    state = watched(drawn(shares, 20, seed=1), judge)
    assert state.alarm is not None
    assert 100 * PANE_MS <= state.alarm.opened_ms <= 150 * PANE_MS


@pytest.mark.parametrize("change", ["baseline_samples", "smallest_effect"])
def test_two_plans_for_one_baseline_do_not_share_a_detector(change: str) -> None:
    """The detector is remembered between batches: by everything that it depends on."""
    first = pinned_plan(100)
    second = replace(first, smallest_effect=0.1) if change == "smallest_effect" else PLAN
    state = close(seen([[10, 90]] * 3, first), PANE_MS, first)
    assert evidence(state, first) != evidence(state, second)
