"""Weighted counts: cells, means, and rounding without bias."""

import numpy as np
import pytest

from streaming_eval.stats.grid import Grid
from streaming_eval.stats.levels import Scale, level_values, mean

RANGE = Scale(0.0, 1.0, True, 65)


def test_without_weights_the_cells_are_the_levels() -> None:
    grid = Grid(5)
    assert grid.cells == 5
    assert grid.values.tolist() == level_values(5).tolist()
    assert grid.weights.tolist() == [1.0] * 5
    assert grid.mean([1, 0, 2, 3, 4]) == mean([1, 0, 2, 3, 4])


def test_the_mean_of_nothing_is_unknown() -> None:
    assert np.isnan(Grid(2, (0.5, 1.0)).mean([0, 0, 0, 0]))


def test_rounding_leaves_the_weighted_mean_unbiased() -> None:
    grid, rng = Grid.weighted(65, most=20), np.random.default_rng(3)
    values, weights = rng.random(200_000), rng.uniform(1, 20, 200_000)
    values = np.where(weights > 10, values, values**4)
    cells = grid.place(values, weights, RANGE, (rng.random(200_000), rng.random(200_000)))
    counts = np.bincount(cells, minlength=grid.cells)
    assert grid.mean(counts) == pytest.approx(np.average(values, weights=weights), abs=0.003)


@pytest.mark.parametrize("weight", [1.0, 2.0, 16.0, 20.0])
def test_a_weight_on_the_grid_is_exact_whatever_is_drawn(weight: float) -> None:
    grid = Grid.weighted(2, most=20)
    drawn = (np.zeros(2), np.array([0.0, 0.999999]))
    cells = grid.place([1.0, 1.0], [weight, weight], Scale(0, 1, True, 2), drawn)
    assert (grid.weights[cells] * 20).tolist() == pytest.approx([weight, weight])


@pytest.mark.parametrize("weight", [0.5, 20.1, float("nan")])
def test_a_weight_outside_is_refused(weight: float) -> None:
    zero = np.zeros(1)
    with pytest.raises(ValueError, match="between 1 and 20"):
        Grid.weighted(2, most=20).place([1.0], [weight], Scale(0, 1, True, 2), (zero, zero))


@pytest.mark.parametrize("shares", [(), (0.5,), (1.0, 0.5), (0.0, 1.0), (0.5, 0.5, 1.0)])
def test_shares_that_make_no_grid_are_refused(shares: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="shares must increase"):
        Grid(2, shares)
