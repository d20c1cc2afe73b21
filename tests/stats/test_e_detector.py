"""The e-detector's arithmetic: fair under the null, additive, and finite at every extreme."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streaming_eval.stats.e_detector import (
    BETS,
    LOG_LIMIT,
    LOG_ZERO,
    EDetector,
    Track,
    averaged,
    either,
    log_evidence,
    step,
)
from streaming_eval.stats.grid import Grid
from streaming_eval.stats.levels import Floats, level_values

NOTHING = np.full(BETS, LOG_ZERO)
DETECTOR = EDetector.for_drops(0.9, variance=0.09)
COUNTS = st.lists(st.integers(0, 10**6), min_size=3, max_size=3)


def fresh() -> Track:
    return Track(NOTHING, np.zeros(BETS), np.zeros(BETS, np.int64), np.zeros(BETS, np.int64))


def factors(detector: EDetector, levels: int) -> Floats:
    """What one score at each level multiplies each bet by."""
    return np.exp(detector.increments(np.eye(levels, dtype=np.int64)))


@given(st.floats(0, 1), st.floats(0, 0.25), st.integers(2, 65), st.integers(0, 2**32))
def test_no_bet_gains_on_average_while_the_mean_is_not_below_the_null(
    null_mean: float, variance: float, levels: int, seed: int
) -> None:
    shares = np.random.default_rng(seed).dirichlet(np.ones(levels))
    truth = float(shares @ level_values(levels))
    if truth < null_mean:  # mix in enough perfect scores to reach the null exactly
        missing = (null_mean - truth) / (1 - truth)
        shares = (1 - missing) * shares + missing * np.eye(levels)[-1]
    gains = shares @ factors(EDetector.for_drops(null_mean, variance), levels)
    assert (gains <= 1 + 1e-9).all()


def test_a_bet_gains_once_the_mean_is_below_the_null() -> None:
    gains = np.array([0.15, 0.85]) @ factors(DETECTOR, 2)
    assert (gains > 1).all()


@pytest.mark.parametrize("variance", [None, 0.09])
@pytest.mark.parametrize(("mean", "good"), [(0.88, 4), (0.85, 3), (0.8, 3), (0.6, 2)])
def test_the_smaller_a_drop_the_more_bets_are_good_at_it(
    mean: float, good: int, variance: float | None
) -> None:
    """Good ones grow at 80% or more of the fastest rate there is: that of the likelihood ratio."""
    chances = np.array([1 - mean, mean])
    growth = chances @ EDetector.for_drops(0.9, variance).increments(np.eye(2, dtype=np.int64))
    fastest = chances @ np.log(chances / [0.1, 0.9])
    assert (growth >= 0.8 * fastest).sum() >= good


@given(st.floats(0, 1), st.one_of(st.none(), st.floats(0, 0.25)))
def test_no_score_ruins_a_bet(null_mean: float, variance: float | None) -> None:
    for make in (EDetector.for_drops, EDetector.for_rises):
        detector = make(null_mean, variance)
        assert len(detector.bets) == BETS
        assert np.isfinite(detector.increments([[10**6, 0], [0, 10**6]])).all()


@pytest.mark.parametrize("null_mean", [-0.01, 1.01, float("nan")])
def test_a_null_that_is_no_mean_is_refused(null_mean: float) -> None:
    for make in (EDetector.for_drops, EDetector.for_rises):
        with pytest.raises(ValueError, match="null_mean"):
            make(null_mean, 0.1)


@given(st.floats(0.001, 0.999), st.one_of(st.none(), st.floats(0.001, 0.25)), COUNTS)
def test_a_rise_is_a_drop_of_reversed_counts(
    null_mean: float, variance: float | None, counts: list[int]
) -> None:
    """What went right read as what went wrong, against the mirrored null."""
    mirrored = EDetector.for_drops(1 - null_mean, variance).increments(counts[::-1])
    rises = EDetector.for_rises(null_mean, variance).increments(counts)
    assert rises == pytest.approx(mirrored, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("null_mean", [0.02, 0.5, 0.9, 0.98])
@pytest.mark.parametrize("shift", [-0.15, -0.02, 0.015, 0.1])
def test_some_bet_of_the_right_direction_gains_whatever_the_variance(
    null_mean: float, shift: float
) -> None:
    mean = float(np.clip(null_mean + shift, 0.001, 0.999))
    make = EDetector.for_drops if shift < 0 else EDetector.for_rises
    growth = np.array([1 - mean, mean]) @ make(null_mean).increments(np.eye(2, dtype=np.int64))
    assert growth.max() > 0


@given(
    st.floats(0.01, 0.99),
    st.one_of(st.none(), st.floats(0, 0.25)),
    st.booleans(),
    st.integers(0, 2**32),
)
def test_no_bet_gains_while_the_weighted_mean_keeps_to_the_null(
    null_mean: float, variance: float | None, rises: bool, seed: int
) -> None:
    """Weights that go with the value included: it is E[w (v - null)] that decides."""
    grid = Grid.weighted(3, most=6)
    shares = np.random.default_rng(seed).dirichlet(np.full(grid.cells, 0.3))
    gaps = grid.weights * (grid.values - null_mean) * (-1 if rises else 1)
    if (missing := -float(shares @ gaps)) > 0:  # mix in the cell that helps most
        mix = missing / (missing + gaps.max())
        shares = (1 - mix) * shares + mix * np.eye(grid.cells)[gaps.argmax()]
    make = EDetector.for_rises if rises else EDetector.for_drops
    factors = np.exp(make(null_mean, variance).increments(np.eye(grid.cells), grid))
    assert (shares @ factors <= 1 + 1e-9).all()


def test_scores_of_the_largest_weight_alone_are_scores_without_weights() -> None:
    grid = Grid.weighted(2, most=4)
    heavy = [0] * (grid.cells - 2) + [30, 70]
    assert DETECTOR.increments(heavy, grid).tolist() == DETECTOR.increments([30, 70]).tolist()


def test_counts_of_another_grid_are_refused() -> None:
    with pytest.raises(ValueError, match="6 cells"):
        DETECTOR.increments([1, 2], Grid(2, (0.25, 0.5, 1.0)))


@given(COUNTS, COUNTS)
def test_increments_add_over_parts_of_a_pane(left: list[int], right: list[int]) -> None:
    both = np.add(left, right)
    parts = DETECTOR.increments(left) + DETECTOR.increments(right)
    assert DETECTOR.increments(both) == pytest.approx(parts, rel=1e-9, abs=1e-9)


@given(st.lists(COUNTS, min_size=1, max_size=9))
def test_panes_together_are_equal_to_the_bit_to_panes_one_by_one(panes: list[list[int]]) -> None:
    together = DETECTOR.increments(panes)
    assert together.tolist() == [DETECTOR.increments(pane).tolist() for pane in panes]


@given(st.floats(-600, 600), st.floats(-50, 50))
def test_a_tick_adds_one_and_multiplies(log_m: float, increment: float) -> None:
    ticked = step(np.array([log_m]), np.array([increment]))
    grown = np.log1p(np.exp(log_m)) + increment
    assert ticked == pytest.approx([np.clip(grown, LOG_ZERO, LOG_LIMIT)], rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(("increment", "end"), [(1e300, LOG_LIMIT), (-1e300, LOG_ZERO)])
def test_evidence_stays_a_plain_number(increment: float, end: float) -> None:
    log_m = NOTHING
    for _ in range(3):
        log_m = step(log_m, np.full(BETS, increment))
    assert log_evidence(log_m) == pytest.approx(end)


def test_evidence_is_the_mean_over_the_bets() -> None:
    wealth = np.arange(1.0, BETS + 1)
    assert log_evidence(np.log(wealth)) == pytest.approx(np.log(wealth.mean()))
    table = np.log(np.stack([wealth, 2 * wealth]))
    assert log_evidence(table) == pytest.approx(np.log([wealth.mean(), 2 * wealth.mean()]))


def test_a_quiet_pane_is_worth_one_restart() -> None:
    once = step(NOTHING, np.zeros(BETS))
    assert log_evidence(once) == pytest.approx(0.0)
    assert log_evidence(step(once, np.zeros(BETS))) == pytest.approx(np.log(2))


def test_the_best_stretch_is_found_and_counted() -> None:
    """Page's sums against every stretch that ends now, tried one by one."""
    rng = np.random.default_rng(4)
    failed = rng.binomial(20, np.where(np.arange(60) < 40, 0.1, 0.25))
    counts = np.stack([failed, 20 - failed], axis=1)
    increments = DETECTOR.increments(counts)
    track = fresh()
    for pane, increment in enumerate(increments):
        track = track.tick(pane * 1_000, 20, increment)
    sums: NDArray[np.float64] = increments[::-1].cumsum(axis=0)[::-1]
    best = sums.argmax(axis=0)
    rising = track.page_sums > 0
    assert rising[:5].all()
    assert track.page_sums[rising] == pytest.approx(sums.max(axis=0)[rising])
    assert track.began_ms[rising].tolist() == (best[rising] * 1_000).tolist()
    assert track.n_since[rising].tolist() == ((60 - best[rising]) * 20).tolist()


@given(st.lists(st.floats(-600, 600), min_size=1, max_size=4))
def test_the_average_is_that_of_evidence_and_either_is_never_above_it(logs: list[float]) -> None:
    average = float(averaged(*logs))
    assert average == pytest.approx(float(log_evidence(np.array(logs))), rel=1e-12, abs=1e-9)
    assert average - np.log(len(logs)) - 1e-9 <= float(either(*logs)) <= average + 1e-9


def test_many_series_are_combined_at_once() -> None:
    worse, better = np.array([0.0, 5.0]), np.array([5.0, 0.0])
    assert averaged(worse, better).shape == either(worse, better).shape == (2,)
