"""Intervals for a mean that moves: what may not matter, width, and the guarantee."""

from functools import reduce
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming_eval.stats.empirical_bernstein import Deviations, EmpiricalBernstein, PaneSums
from streaming_eval.stats.interval import Interval
from streaming_eval.stats.levels import Floats, level_values

MOVING = EmpiricalBernstein(0.05, expected_n=1_000)
ON_GRID = st.integers(0, 64).map(lambda level: level / 64)
PANES = st.lists(st.lists(ON_GRID, max_size=30), max_size=8)


def pane(scores: list[float]) -> PaneSums:
    return reduce(PaneSums.update, scores, PaneSums())


def closed(panes: list[list[float]]) -> Deviations:
    return reduce(Deviations.close, map(pane, panes), Deviations())


@settings(deadline=None)
@given(PANES)
def test_the_sum_is_of_squared_distances_from_what_was_predicted(panes: list[list[float]]) -> None:
    squares, before = 0.0, [0.5]
    for scores in panes:
        squares += float(np.sum((np.array(scores) - np.mean(before)) ** 2))
        before += scores
    assert closed(panes).squares == pytest.approx(squares, abs=1e-9)
    assert closed(panes).n == len(before) - 1


@settings(deadline=None)
@given(st.lists(ON_GRID, max_size=60), st.randoms(), st.integers(0, 60))
def test_order_and_batches_within_a_pane_change_nothing(
    scores: list[float], random: Random, cut: int
) -> None:
    shuffled = random.sample(scores, len(scores))
    assert pane(shuffled[:cut]).merge(pane(shuffled[cut:])) == pane(scores)


@settings(deadline=None)
@given(st.lists(st.integers(0, 50), min_size=65, max_size=65))
def test_counts_of_levels_have_the_sums_of_their_scores(counts: list[int]) -> None:
    scores = np.repeat(level_values(65), counts).tolist()
    assert PaneSums.of(counts, level_values(65)) == pane(scores)


@settings(deadline=None)
@given(PANES)
def test_panes_add_up(panes: list[list[float]]) -> None:
    parts, whole = [], Deviations()
    for scores in panes:
        parts.append(whole.added(pane(scores)))
        whole = whole.close(pane(scores))
    again = reduce(Deviations.merge, reversed(parts), Deviations())
    assert (again.n, again.total) == (whole.n, whole.total)
    assert again.squares == pytest.approx(whole.squares, abs=1e-9)


def test_no_score_says_nothing() -> None:
    assert MOVING.interval(Deviations()) == Interval(0.0, 1.0)
    assert MOVING.interval(Deviations().close(PaneSums())) == Interval(0.0, 1.0)


@settings(deadline=None)
@given(st.integers(1, 10**8))
def test_perfect_scores_never_exclude_perfection(n: int) -> None:
    assert MOVING.interval(Deviations().close(PaneSums(n, n, n))).upper == 1.0


def tallies(scores: Floats, size: int) -> Floats:
    """n, total and squares after every score [path, time, 3], with panes of `size` scores."""
    totals, n = scores.cumsum(axis=1), np.arange(1, scores.shape[1] + 1)
    starts = (n - 1) // size * size
    before = np.where(starts > 0, totals[:, np.maximum(starts - 1, 0)], 0.0)
    squares = ((scores - (0.5 + before) / (1 + starts)) ** 2).cumsum(axis=1)
    return np.stack([np.broadcast_to(n, scores.shape), totals, squares], axis=-1)


def ever_missed(scores: Floats, truth: Floats) -> float:
    lower, upper = MOVING.intervals(*np.moveaxis(tallies(scores, size=50), -1, 0))
    return float(((lower > truth) | (upper < truth)).any(axis=1).mean())


@pytest.mark.parametrize(
    "means",
    [
        pytest.param(0.9 + 0.08 * np.sin(np.arange(1_000) / 40), id="daily cycle"),
        pytest.param(np.where(np.arange(1_000) < 500, 0.95, 0.75), id="step"),
        pytest.param(np.linspace(0.95, 0.6, 1_000), id="ramp"),
        pytest.param(np.full(1_000, 0.5), id="still"),
    ],
)
def test_the_running_mean_rarely_ever_leaves_however_it_moves(means: Floats) -> None:
    passed = (np.random.default_rng(2).random((300, means.size)) < means).astype(np.float64)
    truth = means.cumsum() / np.arange(1, means.size + 1)
    assert ever_missed(passed, truth) <= 0.05


def test_it_holds_when_the_next_mean_answers_to_the_past() -> None:
    """A system that does worse after each pass: the means themselves are random."""
    rng, paths = np.random.default_rng(8), 300
    scores, means = np.zeros((paths, 800)), np.zeros((paths, 800))
    for i in range(800):
        means[:, i] = 0.8 if i == 0 else np.where(scores[:, i - 1] > 0, 0.7, 0.95)
        scores[:, i] = rng.random(paths) < means[:, i]
    running = means.cumsum(axis=1) / np.arange(1, 801)
    assert 0.0 <= ever_missed(scores, running) <= 0.05


@pytest.mark.parametrize("n", [1_000, 10_000])
def test_width_is_below_twice_that_of_an_interval_for_one_look(n: int) -> None:
    scores = np.random.default_rng(n).choice([0.0, 0.5, 1.0], n, p=[0.15, 0.2, 0.65])
    tally = Deviations(n, *tallies(scores[None], size=50)[0, -1, 1:].tolist())
    assert MOVING.interval(tally).half_width <= 1.9 * 1.96 * scores.std() / np.sqrt(n)
