"""Panes open, close, fill the baseline and the windows; what comes too late is only counted."""

from dataclasses import replace

import pytest

from streaming_eval.alerting import (
    Pane,
    SeriesState,
    baseline_mean,
    baseline_missing,
    close,
    evidence,
    expire,
    null_mean,
    observe,
    pinned,
    since_baseline,
)
from tests.alerting.series import FAR_MS, PANE_MS, at, panes, pinned_plan, plan

PLAN = plan()
EMPTY = SeriesState()


def test_a_new_series_knows_nothing() -> None:
    assert evidence(EMPTY, PLAN) == -700.0
    assert since_baseline(EMPTY, PLAN).counts == (0, 0)
    assert not pinned(EMPTY, pinned_plan(100))
    assert baseline_mean(EMPTY, pinned_plan(100)) is None
    assert null_mean(EMPTY, 0, pinned_plan(100)) is None


def test_counts_of_one_pane_add_up_over_batches() -> None:
    state = observe(EMPTY, at({0: [1, 2]}), -FAR_MS, PLAN)
    state = observe(state, at({0: [0, 3], PANE_MS: [1, 0]}, missing=1), -FAR_MS, PLAN)
    assert state.open_panes == (Pane(0, (1, 5), 1), Pane(PANE_MS, (1, 0), 1))
    assert (state.n_total, state.n_missing, state.n_late) == (7, 2, 0)


def test_a_pane_stays_open_until_the_watermark_reaches_its_end() -> None:
    state = observe(EMPTY, at({0: [1, 2]}), PANE_MS - 1, PLAN)
    assert state.open_panes
    state = close(state, PANE_MS, PLAN)
    assert state.open_panes == ()
    assert state.last_closed_ms == 0
    assert state.since_counts == (1, 2)


def test_a_score_for_a_closed_pane_is_late_and_changes_nothing_else() -> None:
    state = observe(EMPTY, panes([[1, 9], [2, 8]]), 0, PLAN)
    before = close(state, 2 * PANE_MS, PLAN)
    after = observe(before, panes([[5, 0], [0, 1]]), 2 * PANE_MS, PLAN)
    assert after == replace(before, n_late=6)


def test_a_pane_that_the_watermark_has_passed_is_late_even_if_never_seen() -> None:
    state = observe(EMPTY, at({0: [1, 1]}), PANE_MS, PLAN)
    assert (state.n_late, state.n_total, state.open_panes) == (2, 0, ())


def test_a_watermark_that_steps_back_reopens_nothing() -> None:
    state = close(observe(EMPTY, panes([[1, 1], [1, 1]]), 0, PLAN), 2 * PANE_MS, PLAN)
    assert observe(state, panes([[1, 1], [1, 2]]), -FAR_MS, PLAN) == replace(state, n_late=5)


def test_a_pane_without_scores_leaves_no_trace() -> None:
    assert observe(EMPTY, at({0: [0, 0]}), -FAR_MS, PLAN) == EMPTY


def test_panes_before_1970_are_panes() -> None:
    state = observe(EMPTY, at({-PANE_MS: [1, 1]}), -PANE_MS, PLAN)
    assert state.windows == (Pane(-5 * PANE_MS, (1, 1)),)
    assert close(state, 0, PLAN).since_counts == (1, 1)


@pytest.mark.parametrize(
    "bad", [{0: [1, 1, 1]}, {0: [3, -1]}, {1: [1, 1]}], ids=["levels", "negative", "off the grid"]
)
def test_counts_that_cannot_be_are_refused(bad: dict[int, list[int]]) -> None:
    with pytest.raises(ValueError, match="pane"):
        observe(EMPTY, at(bad), -FAR_MS, PLAN)


def test_a_baseline_is_pinned_at_the_end_of_the_pane_that_fills_it() -> None:
    needs_25 = pinned_plan(25)
    state = observe(EMPTY, panes([[1, 9]] * 5), 0, needs_25)
    assert not pinned(state, needs_25)
    state = close(state, 2 * PANE_MS, needs_25)
    assert baseline_missing(state, needs_25) == 5
    assert since_baseline(state, needs_25).counts == (0, 0)
    state = close(state, 4 * PANE_MS, needs_25)
    assert state.baseline.counts == (3, 27)
    assert (state.baseline.begin_ms, state.baseline.end_ms) == (0, 3 * PANE_MS)
    assert baseline_missing(state, needs_25) == 0
    assert baseline_mean(state, needs_25) == 0.9
    assert state.since_counts == (1, 9)
    assert since_baseline(state, needs_25).counts == (2, 18)


def test_a_pinned_baseline_never_moves_again() -> None:
    needs_25 = pinned_plan(25)
    state = close(observe(EMPTY, panes([[1, 9]] * 3), 0, needs_25), 3 * PANE_MS, needs_25)
    later = observe(state, panes([[9, 1]] * 50, first=3), 3 * PANE_MS, needs_25)
    later = close(later, FAR_MS, needs_25)
    assert later.baseline == state.baseline


def test_with_a_constant_baseline_everything_counts() -> None:
    state = close(observe(EMPTY, panes([[1, 9]] * 3), 0, PLAN), PANE_MS, PLAN)
    assert since_baseline(state, PLAN).counts == (3, 27)
    assert baseline_missing(state, PLAN) == 0
    assert null_mean(state, 0, PLAN) == pytest.approx(0.88)


def test_a_smallest_effect_beyond_the_baseline_leaves_no_drop_to_find() -> None:
    generous = plan(baseline_constant=0.01, smallest_effect=0.02)
    assert null_mean(EMPTY, 0, generous) == 0.0
    state = observe(EMPTY, panes([[1_000, 0]] * 20), -FAR_MS, generous)
    assert state.alarm is None


def test_a_window_counts_its_open_panes_and_leaves_when_it_has_closed() -> None:
    state = observe(EMPTY, panes([[1, 9]] * 7), 0, PLAN)
    assert state.windows == (Pane(0, (5, 45)), Pane(5 * PANE_MS, (2, 18)))
    kept, gone = expire(close(state, 5 * PANE_MS - 1, PLAN), 5 * PANE_MS - 1, PLAN)
    assert gone == ()
    kept, gone = expire(close(kept, 5 * PANE_MS, PLAN), 5 * PANE_MS, PLAN)
    assert gone == (Pane(0, (5, 45)),)
    assert kept.windows == (Pane(5 * PANE_MS, (2, 18)),)


def test_state_is_made_of_plain_numbers() -> None:
    state = observe(EMPTY, panes([[1, 9]] * 7), 0, PLAN)
    state = close(state, 4 * PANE_MS, PLAN)
    for numbers in (state.log_m, state.page_sums):
        assert {type(x) for x in numbers} == {float}
    for counts in (state.page_began_ms, state.page_n, state.since_counts, state.windows[0].counts):
        assert {type(x) for x in counts} == {int}
