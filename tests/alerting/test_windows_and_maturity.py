"""Windows that slide, panes that must mature, and scores that are missing."""

import pytest

from streaming_eval.alerting import (
    Pane,
    SeriesPlan,
    SeriesState,
    close,
    evidence,
    expire,
    observe,
    since_baseline,
    sliding_window,
    wake_at,
)
from tests.alerting.series import FAR_MS, PANE_MS, at, panes, plan

WINDOW_MS = 5 * PANE_MS
SLIDING = plan(sliding_ms=(2 * WINDOW_MS, 3 * WINDOW_MS))
MATURE = plan(maturity_ms=10 * PANE_MS)
GOOD, BAD = [1, 19], [9, 11]


def advanced(
    state: SeriesState, new: list[Pane], watermark: int, series_plan: SeriesPlan
) -> SeriesState:
    """One batch, as the stateful step takes it."""
    watermark_ms = watermark * PANE_MS
    return expire(observe(state, new, watermark_ms, series_plan), watermark_ms, series_plan)[0]


def test_a_sliding_window_is_the_last_tumbling_ones_together() -> None:
    state = SeriesState()
    for n in range(23):
        state = advanced(state, panes([[1, n]], first=n), n, SLIDING)
    ten, fifteen = (sliding_window(state, width, SLIDING) for width in SLIDING.sliding_ms)
    assert ten == Pane(3 * WINDOW_MS, (8, sum(range(15, 23))))
    assert fifteen == Pane(2 * WINDOW_MS, (13, sum(range(10, 23))))


def test_only_windows_that_a_sliding_one_needs_are_kept() -> None:
    state = SeriesState()
    for n in range(60):
        state = advanced(state, panes([GOOD], first=n), n, SLIDING)
    kept = [w.start_ms // WINDOW_MS for w in (*state.past_windows, *state.windows)]
    assert kept == [9, 10, 11]
    assert advanced(state, [], 99, plan()).past_windows == ()


def test_after_a_gap_a_sliding_window_holds_what_lies_in_it() -> None:
    state = advanced(SeriesState(), panes([GOOD] * 5), 0, SLIDING)
    state = advanced(state, panes([BAD], first=11), 11, SLIDING)
    assert sliding_window(state, 2 * WINDOW_MS, SLIDING) == Pane(WINDOW_MS, (9, 11))
    assert sliding_window(state, 3 * WINDOW_MS, SLIDING) == Pane(0, (14, 106))
    assert sliding_window(SeriesState(), WINDOW_MS, SLIDING) is None


def test_until_they_mature_panes_are_neither_shown_nor_judged() -> None:
    young = observe(SeriesState(), panes([BAD] * 10), 10 * PANE_MS, MATURE)
    assert young.windows == ()
    assert young.alarm is None
    assert since_baseline(young, MATURE).n == 0
    assert evidence(young, MATURE) == -700.0
    assert young.n_total == 200


def test_a_score_that_comes_before_its_pane_matures_is_in_time() -> None:
    state = observe(SeriesState(), panes([GOOD] * 3), 3 * PANE_MS, MATURE)
    state = observe(state, panes([BAD], first=0), 10 * PANE_MS, MATURE)
    assert (state.n_late, state.n_total) == (0, 80)
    state = observe(state, panes([BAD], first=0), 11 * PANE_MS, MATURE)
    assert (state.n_late, state.n_total) == (20, 80)
    assert state.windows == (Pane(0, (10, 30)),)


def test_matured_panes_are_judged_as_others_are() -> None:
    counts = panes([GOOD] * 20 + [BAD] * 20)
    late, soon = (close(observe(SeriesState(), counts, -FAR_MS, p), FAR_MS, p)
                  for p in (MATURE, plan(alarm=False)))  # fmt: skip
    assert late.log_m == soon.log_m
    assert late.since_counts == soon.since_counts
    assert late.windows == soon.windows
    assert late.alarm is not None


@pytest.mark.parametrize("series_plan", [plan(), MATURE], ids=["at once", "mature"])
def test_every_window_has_its_time_to_close_though_nothing_comes(series_plan: SeriesPlan) -> None:
    state = observe(SeriesState(), panes([GOOD] * 7), 0, series_plan)
    due = wake_at(state, series_plan)
    wait_ms = series_plan.maturity_ms
    assert due == {WINDOW_MS + wait_ms, 2 * WINDOW_MS + wait_ms}
    gone: list[Pane] = []
    for time_ms in sorted(due):
        state = observe(state, (), time_ms, series_plan)
        state, closed = expire(state, time_ms, series_plan)
        gone += closed
    assert [window.n for window in gone] == [100, 40]
    assert wake_at(state, series_plan) == set()


def test_missing_scores_are_counted_where_they_belong() -> None:
    state = observe(SeriesState(), at({0: GOOD, 6 * PANE_MS: BAD}, missing=3), 0, plan())
    state = observe(state, at({7 * PANE_MS: [0, 0]}, missing=2), 0, plan())
    assert [(w.n, w.missing) for w in state.windows] == [(20, 3), (20, 5)]
    assert since_baseline(state, plan()).missing == state.n_missing == 8
    closed = close(state, FAR_MS, plan())
    assert (closed.since_missing, closed.since_counts) == (8, (10, 30))


def test_a_pane_of_missing_scores_alone_is_no_evidence() -> None:
    state = close(observe(SeriesState(), panes([GOOD] * 3), 0, plan()), 3 * PANE_MS, plan())
    nothing = at({3 * PANE_MS: [0, 0]}, missing=9)
    after = close(observe(state, nothing, 3 * PANE_MS, plan()), FAR_MS, plan())
    assert after.log_m == state.log_m
    assert (after.since_counts, after.since_missing) == (state.since_counts, 9)
