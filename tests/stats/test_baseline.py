"""The lower bound of a frozen baseline."""

import numpy as np
import pytest
from scipy.stats import binom

from streaming_eval.stats.baseline import lower_bound
from streaming_eval.stats.levels import level_values, mean
from streaming_eval.stats.mixture_bet import MixtureBet
from tests.stats.test_mixture_bet import evidence_above


@pytest.mark.parametrize(("failed", "passed"), [(10, 90), (1, 9), (500, 4_500), (0, 200)])
def test_at_the_bound_so_many_passes_have_probability_alpha(failed: int, passed: int) -> None:
    bound = lower_bound([failed, passed], 0.05)
    assert binom.sf(passed - 1, failed + passed, bound) == pytest.approx(0.05)


def test_on_finer_scales_the_bound_is_where_a_bet_has_wealth_one_over_alpha() -> None:
    bound = lower_bound([10, 20, 300], 0.05)
    one_sided = MixtureBet(0.1, expected_n=330)  # spends half of its error on this side
    assert evidence_above([10, 20, 300], bound, one_sided) == pytest.approx(np.log(1 / 0.05))


@pytest.mark.parametrize("counts", [[0, 0], [0, 0, 0], [50, 0], [50, 0, 0]])
def test_nothing_known_or_nothing_good_bounds_by_0(counts: list[int]) -> None:
    assert lower_bound(counts, 0.05) == 0.0


@pytest.mark.parametrize("shares", [[0.1, 0.9], [0.15, 0.2, 0.65], [0.04, 0.87, 0.09]])
def test_the_bound_rarely_exceeds_the_mean_and_is_close_to_it(shares: list[float]) -> None:
    rng = np.random.default_rng(2)
    values = level_values(len(shares))
    truth = float(np.dot(shares, values))
    error = np.sqrt(np.dot(shares, (values - truth) ** 2) / 5_000)
    counts = rng.multinomial(5_000, shares, size=500)
    bounds = np.array([lower_bound(row, 0.05) for row in counts])
    assert (bounds > truth).mean() <= 0.05 + 3 * (0.05 * 0.95 / 500) ** 0.5
    assert (mean(counts) - bounds).mean() <= 3.2 * error
