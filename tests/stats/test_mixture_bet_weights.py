"""Mixture bets on weighted counts: the same numbers by brute force, and the guarantee."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import logsumexp

from streaming_eval.stats.grid import Grid
from streaming_eval.stats.interval import Interval
from streaming_eval.stats.mixture_bet import MixtureBet

BET = MixtureBet(0.05, expected_n=1_000)
FINE = Grid.weighted(65, most=20)
GRIDS = st.builds(Grid.weighted, st.integers(2, 9), st.sampled_from([1.0, 3.0, 20.0]))


def counts_of(grid: Grid, seed: int, most: int = 300) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, most, grid.cells)


def evidence_above(counts: np.ndarray, grid: Grid, m: float) -> float:
    """Log wealth of the bets that the weighted mean is more than m, sample by sample."""
    shares = np.exp(np.linspace(np.log(3e-4), np.log(0.95), 20))
    odds = np.log(1 / 0.05)
    rho = 1_000 * 0.16 / (2 * odds + np.log1p(2 * odds))
    peaked = shares * np.exp(-((shares / 0.8) ** 2) * rho / 2)
    prior = 0.8 * peaked / peaked.sum() + 0.2 / 20
    edge = np.asarray(grid.weights) * (np.asarray(grid.values) / m - 1)
    return float(logsumexp(np.log1p(np.multiply.outer(shares, edge)) @ counts, b=prior))


@pytest.mark.parametrize("grid", [Grid.weighted(2, 20), Grid.weighted(3, 4), FINE])
def test_a_weighted_limit_is_where_the_wealth_reaches_two_over_alpha(grid: Grid) -> None:
    counts = counts_of(grid, seed=2)
    average = float(grid.mean(counts))
    lower = brentq(
        lambda m: evidence_above(counts, grid, m) - np.log(40), 1e-9, average, xtol=1e-14
    )
    found = BET.interval(counts, grid)
    assert found.lower == pytest.approx(lower, abs=1e-9)
    assert found.lower < average < found.upper


def test_the_largest_weight_everywhere_is_no_weight() -> None:
    counts = np.random.default_rng(4).integers(0, 900, 5)
    padded = np.concatenate([np.zeros(5), counts])
    assert BET.interval(padded, Grid(5, (0.25, 1.0))) == BET.interval(counts)


def test_one_small_weight_everywhere_only_scales_the_stakes() -> None:
    """The mean is the same, the interval holds it, and bets of half the size serve more scores."""
    counts = np.array([100, 900])
    halved = BET.interval([*counts, 0, 0], Grid(2, (0.5, 1.0)))
    plain = BET.interval(counts)
    assert halved.lower < 0.9 < halved.upper
    assert halved.half_width == pytest.approx(plain.half_width, rel=0.15)


@settings(deadline=None)
@given(GRIDS)
def test_knowing_nothing_is_the_whole_range(grid: Grid) -> None:
    assert BET.interval([0] * grid.cells, grid) == Interval(0.0, 1.0)


@settings(deadline=None)
@given(GRIDS, st.integers(0, 2**32))
def test_perfect_scores_never_exclude_perfection(grid: Grid, seed: int) -> None:
    perfect = np.where(grid.values == 1.0, 1 + counts_of(grid, seed, 2**40), 0)
    found = BET.interval(perfect, grid)
    assert found.upper == 1.0
    assert found.lower > 0.0


@settings(deadline=None)
@given(GRIDS, st.integers(0, 2**32), st.integers(0, 2**32))
def test_two_parts_together_are_the_whole(grid: Grid, one: int, other: int) -> None:
    cells = np.arange(grid.cells)
    parts = [counts_of(grid, seed, 40) for seed in (one, other)]
    rows = np.concatenate([np.repeat(cells, part) for part in parts])
    shuffled = np.random.default_rng(one).permutation(rows)
    again = np.bincount(shuffled, minlength=grid.cells)
    assert BET.interval(again, grid) == BET.interval(parts[0] + parts[1], grid)


def test_counts_of_another_grid_are_refused() -> None:
    with pytest.raises(ValueError, match="12 cells"):
        BET.intervals(np.zeros((1, 2)), Grid.weighted(2, 20))


def test_evidence_and_limits_agree() -> None:
    counts = np.stack([counts_of(FINE, seed) for seed in range(20)])
    lower, upper = BET.intervals(counts, FINE)
    more, less = BET.log_evidence(counts, lower, FINE)
    assert more == pytest.approx(np.full(20, np.log(40)), abs=1e-6)
    assert (less < np.log(40)).all()
    assert BET.log_evidence(counts, upper, FINE)[1] == pytest.approx(more, abs=1e-6)


def test_the_weighted_mean_rarely_ever_leaves() -> None:
    """Fails are seen in full, passes once in eight times: weights of 1 and 8 undo that."""
    rng, grid = np.random.default_rng(9), Grid(2, (0.125, 1.0))
    seen_share = np.array([0.1, 0, 0, 0.9 / 8])
    shares = seen_share / seen_share.sum()
    peeks = np.unique(np.geomspace(5, 3_000, 60).astype(int))
    steps = np.diff(peeks, prepend=0)
    counts = rng.multinomial(steps, shares, size=(1_000, steps.size)).cumsum(axis=1)
    flat = counts.reshape(-1, 4)
    evidence = np.maximum(*BET.log_evidence(flat, np.full(len(flat), 0.9), grid))
    missed = (evidence >= np.log(40)).reshape(1_000, -1).any(axis=1).mean()
    assert 0.0 < missed <= 0.05 + 3 * (0.05 * 0.95 / 1_000) ** 0.5
    unweighted = BET.intervals((flat[:, :2] + flat[:, 2:])[-len(steps) :])
    assert unweighted[1][-1] < 0.9
