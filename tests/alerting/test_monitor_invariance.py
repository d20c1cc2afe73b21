"""Order, batches and partitions cannot matter: the same scores leave the same state, to the bit."""

import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from streaming_eval.alerting import (
    Baseline,
    Decision,
    Pane,
    SeriesPlan,
    SeriesState,
    close,
    evidence,
    expire,
    observe,
)
from streaming_eval.stats.grid import Grid
from tests.alerting.series import FAR_MS, PANE_MS, at, drawn, panes, pinned_plan, plan

Scores = list[tuple[int, int]]  # pane index and level of each score, in order of arrival

EMPTY = SeriesState()
LAST_CLOSED = 6  # panes before this one are closed in the end
SCORES = st.lists(st.tuples(st.integers(-3, 12), st.integers(0, 2)), max_size=60)
PLANS = st.sampled_from(
    [
        plan(grid=Grid(3), alarm=False),
        pinned_plan(20, grid=Grid(3), alarm=False),
        pinned_plan(1, grid=Grid(3), alarm=False),
        pinned_plan(1, grid=Grid(3), alarm=False, seasons=24),
        plan(grid=Grid(3), alarm=False, maturity_ms=2 * PANE_MS, sliding_ms=(10 * PANE_MS,)),
    ]
)


def histogram(scores: Scores) -> dict[int, list[int]]:
    counts: dict[int, list[int]] = {}
    for pane, level in scores:
        counts.setdefault(pane * PANE_MS, [0, 0, 0])[level] += 1
    return counts


def fed(
    scores: Scores, cuts: list[int], series_plan: SeriesPlan, state: SeriesState = EMPTY
) -> SeriesState:
    """The state after batches cut at these places; the watermark follows but makes none late."""
    edges = [0, *sorted(cut % (len(scores) + 1) for cut in cuts), len(scores)]
    for begin, end in pairwise(edges):
        oldest = min([LAST_CLOSED, *(pane for pane, _ in scores[begin:])])
        batch = at(histogram(scores[begin:end]))
        watermark_ms = oldest * PANE_MS + series_plan.maturity_ms
        state = observe(state, batch, watermark_ms, series_plan)
    return state


@given(SCORES, st.randoms(), st.lists(st.integers(0, 10**6), max_size=12), PLANS)
def test_any_order_and_any_cut_leave_the_same_state(
    scores: Scores, random: np.random.RandomState, cuts: list[int], series_plan: SeriesPlan
) -> None:
    shuffled = list(scores)
    random.shuffle(shuffled)
    watermark_ms = LAST_CLOSED * PANE_MS + series_plan.maturity_ms
    one = close(fed(scores, [], series_plan), watermark_ms, series_plan)
    other = close(fed(shuffled, cuts, series_plan), watermark_ms, series_plan)
    assert one == other
    assert evidence(one, series_plan) == evidence(other, series_plan)


@given(SCORES, st.lists(st.integers(0, 10**6), max_size=12), PLANS)
def test_what_is_read_of_open_panes_does_not_depend_on_the_cut(
    scores: Scores, cuts: list[int], series_plan: SeriesPlan
) -> None:
    assume(series_plan.looks_early)
    one, other = fed(scores, [], series_plan), fed(scores, cuts, series_plan)
    assert one.windows == other.windows
    if series_plan.baseline_constant is not None:
        assert evidence(one, series_plan) == evidence(other, series_plan)
    assert one.n_total == other.n_total == len(scores)


@given(SCORES, st.integers(-3, 14), PLANS)
def test_a_batch_that_comes_again_after_closing_is_only_counted(
    scores: Scores, watermark: int, series_plan: SeriesPlan
) -> None:
    closed_ms = watermark * PANE_MS
    watermark_ms = closed_ms + series_plan.maturity_ms
    once = close(fed(scores, [], series_plan), watermark_ms, series_plan)
    passed = {start: row for start, row in histogram(scores).items() if start < closed_ms}
    again = observe(once, at(passed), watermark_ms, series_plan)
    assert again == replace(once, n_late=once.n_late + sum(map(sum, passed.values())))


@settings(max_examples=50)
@given(SCORES, st.lists(st.integers(-3, 14), max_size=5), PLANS)
def test_every_score_stands_in_exactly_one_window(
    scores: Scores, watermarks: list[int], series_plan: SeriesPlan
) -> None:
    state = fed(scores, [], series_plan)
    gone: list[Pane] = []
    for watermark in [*sorted(watermarks), FAR_MS // PANE_MS]:
        state = close(state, watermark * PANE_MS, series_plan)
        state, expired = expire(state, watermark * PANE_MS, series_plan)
        gone += expired
    assert state.windows == state.open_panes == ()
    newest = gone[-1].start_ms if gone else 0
    assert all(w.start_ms > newest - series_plan.longest_sliding_ms for w in state.past_windows)
    assert sum(window.n for window in gone) == len(scores)
    assert [window.start_ms for window in gone] == sorted({window.start_ms for window in gone})


@given(SCORES, st.lists(st.integers(0, 3), min_size=60, max_size=60), PLANS)
def test_counts_from_several_partitions_add_up_to_the_same_state(
    scores: Scores, parts: list[int], series_plan: SeriesPlan
) -> None:
    whole = observe(SeriesState(), at(histogram(scores)), -FAR_MS, series_plan)
    apart = SeriesState()
    for part in range(4):
        mine = [score for score, of in zip(scores, parts, strict=False) if of == part]
        apart = observe(apart, at(histogram(mine)), -FAR_MS, series_plan)
    assert apart == whole


@given(SCORES, st.lists(st.integers(0, 10**6), max_size=12))
def test_a_promoted_hourly_baseline_reads_any_cut_alike(scores: Scores, cuts: list[int]) -> None:
    watching = pinned_plan(1, grid=Grid(3), alarm=False)
    hourly = Baseline(tuple(range(1, 73)), 0, PANE_MS, id="hourly")
    promoted = Decision(0, -10 * PANE_MS, "mira", "accepted", hourly)
    before = observe(SeriesState(), (), -FAR_MS, watching, [promoted])
    one, other = (
        close(fed(scores, some, watching, before), LAST_CLOSED * PANE_MS, watching)
        for some in ([], cuts)
    )
    assert one == other
    assert one.baseline.version == 1


def test_a_thousand_series_take_a_batch_in_well_under_a_second() -> None:
    """Measured 40 us of CPU each; the bound leaves room for a slow machine."""
    watching = plan()
    batches = [panes([row], first=index) for index, row in enumerate(drawn([[0.1, 0.9]] * 4, 9, 0))]
    states = [SeriesState()] * 1_000
    for index, batch in enumerate(batches):
        began = time.process_time()
        states = [observe(s, batch, (index - 2) * PANE_MS, watching) for s in states]
        took = time.process_time() - began
    assert took < 1.0
