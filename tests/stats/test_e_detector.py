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
    log_evidence,
    step,
)
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


@given(st.floats(0, 1), st.floats(0, 0.25))
def test_no_score_ruins_a_bet(null_mean: float, variance: float) -> None:
    detector = EDetector.for_drops(null_mean, variance)
    assert len(detector.bets) == BETS
    assert np.isfinite(detector.increments([[10**6, 0], [0, 10**6]])).all()


@pytest.mark.parametrize("null_mean", [-0.01, 1.01, float("nan")])
def test_a_null_that_is_no_mean_is_refused(null_mean: float) -> None:
    with pytest.raises(ValueError, match="null_mean"):
        EDetector.for_drops(null_mean, 0.1)


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
