"""Weighted means that move: the guarantee, and that the weights' own mean does not matter."""

import numpy as np
import pytest

from streaming_eval.stats.grid import Grid
from streaming_eval.stats.interval import Interval
from streaming_eval.stats.weighted_bernstein import WeightedBernstein, WeightedDeviations

GRID = Grid(2, (0.125, 1.0))
MOVING = WeightedBernstein(0.05, expected_n=1_000, center=0.88, variance_guess=0.05)


def cells(rates: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Fails all seen, passes once in eight times: a cell per score that is seen, per path."""
    seen_pass = rates / 8 / (rates / 8 + 1 - rates)
    return np.where(rng.random((150, rates.size)) < seen_pass, 3, 0)


def test_the_weighted_running_mean_rarely_ever_leaves() -> None:
    rates = np.concatenate([np.full(600, 0.95), np.full(600, 0.8)])
    drawn = cells(rates, np.random.default_rng(6))
    passed = rates / 8 / (rates / 8 + 1 - rates)
    mass = (passed + (1 - passed) / 8).cumsum()
    truth = (passed.cumsum() / mass)[49::50]
    missed = 0
    for path in drawn:
        tally, outside = WeightedDeviations(), False
        for i, part in enumerate(path.reshape(-1, 50)):
            tally = tally.close(np.bincount(part, minlength=4), GRID, MOVING.center)
            found = MOVING.interval(tally)
            outside |= not found.lower <= truth[i] <= found.upper
        missed += outside
    assert missed / len(drawn) <= 0.05
    assert found.half_width < 0.1


def test_no_score_says_nothing_and_few_say_little() -> None:
    nothing = WeightedDeviations().close([0, 0, 0, 0], GRID, MOVING.center)
    assert MOVING.interval(nothing) == Interval(0.0, 1.0)
    few = nothing.close([1, 0, 0, 2], GRID, MOVING.center)
    assert MOVING.interval(few) == Interval(0.0, 1.0)


@pytest.mark.parametrize("center", [0.0, 0.5, 1.0])
def test_any_center_keeps_the_weighted_mean_inside(center: float) -> None:
    bet = WeightedBernstein(0.05, 1_000, center)
    tally = WeightedDeviations()
    for _ in range(100):
        tally = tally.close([10, 0, 0, 30], GRID, center)
    found = bet.interval(tally)
    assert found.lower < float(GRID.mean([10, 0, 0, 30])) < found.upper
