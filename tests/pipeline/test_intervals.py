from __future__ import annotations

from streaming_eval.pipeline.intervals import Intervals
from streaming_eval.stats.grid import Grid
from streaming_eval.stats.interval import Interval
from streaming_eval.stats.mixture_bet import MixtureBet
from streaming_eval.stats.running_mean import Prediction, running_intervals

GRADES = Intervals(1_000, Grid(3), paired=False)
PAIRS = Intervals(1_000, Grid(3), paired=True)
WEIGHTED = Intervals(1_000, Grid.weighted(2, 4), paired=False)


def test_rows_of_both_kinds_keep_their_places() -> None:
    counts = [(5, 10, 85), (50, 100, 850), (0, 0, 0)]
    expected = [None, Prediction(0.9, 0.07), None]
    found = GRADES.of(counts, expected, 0.05)
    assert found[0] == MixtureBet(0.05, 1_000).interval(counts[0])
    (lower,), (upper,) = running_intervals([counts[1]], [Prediction(0.9, 0.07)], 0.05, 1_000)
    assert found[1] == Interval(lower, upper)
    assert found[2] == Interval(0.0, 1.0)
    assert GRADES.of([], [], 0.05) == []


def test_the_baseline_says_what_is_expected_and_else_the_constant() -> None:
    assert GRADES.expectation((10, 20, 70), 0.3) == Prediction.of((10, 20, 70))
    assert GRADES.expectation((), 0.3) == Prediction(0.3, 0.3 * (1.0 - 0.3))
    assert GRADES.expectation((), None) == Prediction()


def test_of_pairs_little_difference_is_expected() -> None:
    found = PAIRS.expectation((), 0.5)
    assert found is not None
    assert (found.mean, found.variance) == (0.5, 0.05)
    assert PAIRS.expectation((), None) == found


def test_weighted_series_have_the_intervals_of_windows_since_the_baseline_too() -> None:
    counts = tuple(range(1, WEIGHTED.grid.cells + 1))
    assert WEIGHTED.expectation(counts, None) is None
    bet = MixtureBet(0.05, 1_000)
    assert WEIGHTED.of([counts], [None], 0.05) == [bet.interval(counts, WEIGHTED.grid)]
