"""Intervals for a mean that may move, from counts and a prediction."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.stats.bounded import bounded_intervals
from streaming_eval.stats.empirical_bernstein import EmpiricalBernstein
from streaming_eval.stats.levels import Floats, level_values
from streaming_eval.stats.mixture_bet import MixtureBet
from streaming_eval.stats.running_mean import Prediction, running_intervals

STREAMS, LENGTH = 400, 2_000
TIME = np.arange(LENGTH)


def ever_missed(means: Floats, predicted: float) -> float:
    """Share of pass/fail streams whose mean so far is outside at any of 80 looks."""
    rng = np.random.default_rng(3)
    passed = (rng.random((STREAMS, means.size)) < means).cumsum(axis=1)
    truth, missed = means.cumsum() / (TIME + 1), np.zeros(STREAMS, bool)
    for at in range(24, means.size, 25):
        counts = np.stack([at + 1 - passed[:, at], passed[:, at]], axis=1)
        known = [Prediction(predicted, predicted * (1 - predicted))] * STREAMS
        lower, upper = running_intervals(counts, known, 0.05, 1_000)
        missed |= (lower > truth[at]) | (upper < truth[at])
    return float(missed.mean())


@pytest.mark.parametrize("predicted", [0.9, 0.5, 0.99])
@pytest.mark.parametrize(
    "means",
    [
        np.full(LENGTH, 0.9),
        0.85 + 0.1 * np.sin(TIME * 2 * np.pi / 500),
        np.where(TIME < LENGTH // 2, 0.95, 0.75),
        np.linspace(0.95, 0.6, LENGTH),
    ],
    ids=["still", "cycle", "step", "ramp"],
)
def test_the_mean_so_far_rarely_ever_leaves_however_it_moves(
    means: Floats, predicted: float
) -> None:
    assert ever_missed(means, predicted) <= 0.05


@given(
    st.lists(st.lists(st.integers(0, 5_000), min_size=3, max_size=3), min_size=1, max_size=5),
    st.floats(0.0, 1.0),
)
def test_rows_together_are_empirical_bernstein_of_each_alone(
    counts: list[list[int]], mean: float
) -> None:
    lower, upper = running_intervals(counts, [Prediction(mean, 0.25)] * len(counts), 0.05, 1_000)
    for n_at, low, high in zip(np.array(counts), lower, upper, strict=True):
        squares = n_at @ (level_values(3) - mean) ** 2
        alone = EmpiricalBernstein(0.05, 1_000, 0.25).intervals(
            n_at.sum(), n_at @ level_values(3), squares
        )
        assert (low, high) == pytest.approx((float(alone[0]), float(alone[1])))


def test_rows_keep_their_places_whatever_is_expected_of_each() -> None:
    counts, expected = [[100, 900], [0, 0], [500, 500]], [0.9, 0.1, 0.5]
    known = [Prediction(mean, mean * (1 - mean)) for mean in expected]
    lower, upper = running_intervals(counts, known, 0.05, 1_000)
    assert (lower[1], upper[1]) == (0.0, 1.0)
    for row, mean in ((0, 0.9), (2, 0.5)):
        assert lower[row] < mean < upper[row]
        (low,), (high,) = running_intervals([counts[row]], [known[row]], 0.05, 1_000)
        assert (lower[row], upper[row]) == (low, high)


def test_a_bad_prediction_costs_width_only() -> None:
    counts = [[100, 900]]
    width = {
        mean: np.subtract(*running_intervals(counts, [Prediction(mean, 0.09)], 0.05, 1_000)[::-1])
        for mean in (0.9, 0.2)
    }
    assert 1.5 * width[0.9] < width[0.2] < 1.0


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.1, 0.9), (0.15, 0.2, 0.65)])
def test_what_the_proof_costs_is_at_most_a_fifth_from_300_scores_on(
    shares: tuple[float, ...],
) -> None:
    for n in (300, 1_000, 10_000, 100_000):
        counts = [n * np.array(shares)]
        expected = [Prediction.of(5_000 * np.array(shares))]
        moving = np.subtract(*running_intervals(counts, expected, 0.05, 1_000)[::-1])
        still = np.subtract(*bounded_intervals(counts, MixtureBet(0.05, 1_000))[::-1])
        assert moving[0] <= 1.2 * still[0]


def test_a_baseline_without_a_single_failure_still_expects_some_variance() -> None:
    found = Prediction.of([0, 5_000])
    assert 0.0 < found.variance < 1e-3
    lower, _ = running_intervals([[0, 5_000]], [found], 0.05, 1_000)
    assert 0.99 < lower[0] < 1.0
