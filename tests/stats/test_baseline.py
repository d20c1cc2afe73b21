"""The bounds of a frozen baseline."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binom

from streaming_eval.stats.baseline import lower_bound, missing, share_bounds, upper_bound
from streaming_eval.stats.grid import Grid
from streaming_eval.stats.levels import level_values, mean
from streaming_eval.stats.mixture_bet import MixtureBet
from tests.stats.test_mixture_bet import evidence_above


@pytest.mark.parametrize(("failed", "passed"), [(10, 90), (1, 9), (500, 4_500), (0, 200)])
def test_at_the_bound_so_many_passes_have_probability_alpha(failed: int, passed: int) -> None:
    bound = lower_bound([failed, passed], 0.05)
    assert binom.sf(passed - 1, failed + passed, bound) == pytest.approx(0.05)


@pytest.mark.parametrize(("failed", "passed"), [(10, 90), (9, 1), (500, 4_500), (200, 0)])
def test_at_the_upper_bound_so_few_passes_have_probability_alpha(failed: int, passed: int) -> None:
    bound = upper_bound([failed, passed], 0.05)
    assert binom.cdf(passed, failed + passed, bound) == pytest.approx(0.05)


def test_the_bounds_are_the_published_ones() -> None:
    """Clopper, Pearson (1934): 8 of 10 at 95% on both sides is .444 to .975."""
    assert lower_bound([2, 8], 0.025) == pytest.approx(0.444, abs=5e-4)
    assert upper_bound([2, 8], 0.025) == pytest.approx(0.975, abs=5e-4)


def test_on_finer_scales_the_bound_is_where_a_bet_has_wealth_one_over_alpha() -> None:
    bound = lower_bound([10, 20, 300], 0.05)
    one_sided = MixtureBet(0.1, expected_n=330)  # spends half of its error on this side
    assert evidence_above([10, 20, 300], bound, one_sided) == pytest.approx(np.log(1 / 0.05))


@pytest.mark.parametrize("counts", [[0, 0], [0, 0, 0], [50, 0], [50, 0, 0]])
def test_nothing_known_or_nothing_good_bounds_by_0(counts: list[int]) -> None:
    assert lower_bound(counts, 0.05) == 0.0


@pytest.mark.parametrize("counts", [[0, 0], [0, 0, 0], [0, 50], [0, 0, 50]])
def test_nothing_known_or_nothing_bad_bounds_by_1(counts: list[int]) -> None:
    assert upper_bound(counts, 0.05) == 1.0


@given(st.lists(st.integers(0, 1_000), min_size=2, max_size=5).filter(any))
def test_the_bounds_hold_the_mean_between_them(counts: list[int]) -> None:
    assert lower_bound(counts, 0.05) <= float(mean(counts)) <= upper_bound(counts, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("shares", [[0.1, 0.9], [0.15, 0.2, 0.65], [0.04, 0.87, 0.09]])
def test_the_bounds_are_rarely_wrong_and_close_to_the_mean(shares: list[float]) -> None:
    rng = np.random.default_rng(2)
    values = level_values(len(shares))
    truth = float(np.dot(shares, values))
    error = np.sqrt(np.dot(shares, (values - truth) ** 2) / 5_000)
    counts = rng.multinomial(5_000, shares, size=200)
    lower = np.array([lower_bound(row, 0.05) for row in counts])
    upper = np.array([upper_bound(row, 0.05) for row in counts])
    allowed = 0.05 + 3 * (0.05 * 0.95 / 200) ** 0.5
    assert (lower > truth).mean() <= allowed
    assert (upper < truth).mean() <= allowed
    assert (mean(counts) - lower).mean() <= 3.2 * error
    assert (upper - mean(counts)).mean() <= 3.2 * error


def test_weighted_scores_bound_the_mean_of_the_traffic_not_of_the_sample() -> None:
    """Half of the traffic passes at .65 and is sampled at a quarter: .80 in all, .89 unweighted."""
    grid = Grid.weighted(2, most=4)
    shares = np.zeros(grid.cells)
    shares[:2], shares[-2:] = 0.8 * np.array([0.05, 0.95]), 0.2 * np.array([0.35, 0.65])
    samples = np.random.default_rng(3).multinomial(4_000, shares, size=40)
    lower = np.array([lower_bound(row, 0.05, grid) for row in samples])
    upper = np.array([upper_bound(row, 0.05, grid) for row in samples])
    assert (lower > 0.8).mean() <= 0.1
    assert (upper < 0.8).mean() <= 0.1
    assert (upper - lower).max() < 0.1


@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=12).filter(any))
def test_shares_of_cells_are_bounded_like_pass_rates(counts: list[int]) -> None:
    lower, upper = share_bounds(counts, 0.01)
    n = sum(counts)
    assert lower == pytest.approx([lower_bound([n - k, k], 0.01) for k in counts])
    assert upper == pytest.approx([upper_bound([n - k, k], 0.01) for k in counts])


def test_shares_agree_with_the_beta_quantiles_of_scipy_stats() -> None:
    lower, upper = share_bounds([30, 0, 70], 0.025)
    assert lower == pytest.approx([beta.ppf(0.025, 30, 71), 0, beta.ppf(0.025, 70, 31)])
    assert upper == pytest.approx(
        [beta.ppf(0.975, 31, 70), 1 - 0.025**0.01, beta.isf(0.025, 71, 30)]
    )


def test_without_counts_a_share_may_be_anything() -> None:
    lower, upper = share_bounds([0, 0], 0.05)
    assert (lower.tolist(), upper.tolist()) == ([0, 0], [1, 1])


def test_a_baseline_says_how_many_scores_it_lacks() -> None:
    assert [missing([n, 0], 10) for n in (0, 4, 10, 11)] == [10, 6, 0, 0]
