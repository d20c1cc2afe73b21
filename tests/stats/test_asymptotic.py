"""Moments that merge, and the interval for means without a range."""

from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import skew

from streaming_eval.stats.asymptotic import AsymptoticSequence, is_skewed, radius_per_deviation
from streaming_eval.stats.moments import Moments

VALUES = st.lists(st.floats(-1e4, 1e4, allow_subnormal=False), max_size=40)
PLAIN = AsymptoticSequence(0.05, expected_n=1_000)


@settings(deadline=None)
@given(VALUES, VALUES)
def test_two_parts_together_are_the_whole(one: list[float], other: list[float]) -> None:
    merged, whole = Moments.of(one).merge(Moments.of(other)), Moments.of(one + other)
    assert merged.n == whole.n
    assert merged.mean == pytest.approx(whole.mean, abs=1e-7)
    assert merged.m2 == pytest.approx(whole.m2, rel=1e-7, abs=1e-4)
    assert merged.m3 == pytest.approx(whole.m3, rel=1e-6, abs=whole.m2**1.5 * 1e-9 + 1e-3)


def test_moments_are_those_of_numpy_and_scipy() -> None:
    values = np.random.default_rng(3).gamma(2.0, 50.0, 500)
    found = reduce(Moments.update, values.tolist(), Moments())
    assert found.mean == pytest.approx(values.mean())
    assert found.deviation == pytest.approx(values.std(ddof=1))
    assert found.skewness == pytest.approx(skew(values))


def test_what_is_not_known_is_none() -> None:
    assert Moments().deviation is None
    assert Moments.of([5.0]).deviation is None
    assert Moments.of([5.0, 5.0]).skewness is None


def test_values_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        Moments.of([1.0, np.nan])


def test_half_the_width_is_that_of_a_published_example() -> None:
    """GrowthBook's test of its sequential t-test, tuned for 1000, of 3000 against 3461 users.

    Relative uplift 0.50336, standard deviation 0.33341, interval [-0.55844, 1.56516]. Its rho is a
    little off the best one: (-2 log a + log(1 - 2 log a)) / 1000.
    """
    odds = -2 * np.log(0.05)
    rho_squared = (odds + np.log1p(odds)) / 1_000
    n = 3_000 + 3_461
    radius = 0.33341 * np.sqrt(n) * radius_per_deviation(n, 0.05, rho_squared)
    assert radius == pytest.approx((1.56516 + 0.55844) / 2, abs=5e-5)


@pytest.mark.parametrize(("alpha", "n"), [(0.05, 1_000), (0.001, 400), (0.3, 5_000)])
def test_it_is_tightest_where_it_shall_be(alpha: float, n: int) -> None:
    best = minimize_scalar(
        lambda log_rho: radius_per_deviation(n, alpha, np.exp(log_rho)), bounds=(-20, 3)
    )
    values = Moments(n, 0.0, float(n - 1))
    found = AsymptoticSequence(alpha, n).interval(values)
    assert found is not None
    assert found.upper == pytest.approx(best.fun, rel=1e-6)


@pytest.mark.parametrize(("n", "expected_n"), [(299, 100), (2_499, 10_000), (1, 1), (0, 1)])
def test_of_few_values_nothing_is_said(n: int, expected_n: float) -> None:
    values = Moments.of(np.random.default_rng(1).random(n))
    assert AsymptoticSequence(0.05, expected_n).interval(values) is None


def test_skewed_values_are_flagged() -> None:
    rng = np.random.default_rng(4)
    assert is_skewed(Moments.of(rng.lognormal(0, 1.5, 2_000)))
    assert is_skewed(Moments.of(-rng.lognormal(0, 1.5, 2_000)))
    assert not is_skewed(Moments.of(rng.exponential(size=2_000)))
    assert not is_skewed(Moments())


def test_the_mean_of_exponential_values_rarely_ever_leaves() -> None:
    values = np.random.default_rng(5).exponential(size=(400, 3_000))
    totals, squares = values.cumsum(axis=1), (values**2).cumsum(axis=1)
    missed = np.zeros(400, bool)
    for n in range(300, 3_001, 20):
        mean, total = totals[:, n - 1] / n, squares[:, n - 1]
        for path in range(400):
            found = PLAIN.interval(Moments(n, mean[path], total[path] - n * mean[path] ** 2))
            assert found is not None
            missed[path] |= not found.lower <= 1.0 <= found.upper
    assert missed.mean() <= 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5


@pytest.mark.parametrize(("alpha", "expected_n"), [(0.0, 10), (1.0, 10), (0.1, 0.5)])
def test_what_cannot_be_is_refused(alpha: float, expected_n: float) -> None:
    with pytest.raises(ValueError, match="must"):
        AsymptoticSequence(alpha, expected_n)
