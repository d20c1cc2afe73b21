"""Mixture-bet intervals: the numbers, the edges, and what may not matter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import logsumexp

from streaming_eval.stats.interval import Interval
from streaming_eval.stats.levels import level_values, mean
from streaming_eval.stats.mixture_bet import MixtureBet

BET = MixtureBet(0.05, expected_n=1_000)
COUNTS = st.integers(2, 65).flatmap(
    lambda levels: st.lists(st.integers(0, 5_000), min_size=levels, max_size=levels)
)


def evidence_above(counts: list[int], m: float, bet: MixtureBet = BET) -> float:
    """Log wealth against "the mean is m" of the bets that it is more, straight from the paper."""
    shares = np.exp(np.linspace(np.log(3e-4), np.log(0.95), 20))
    odds = np.log(1 / bet.alpha)
    rho = bet.expected_n * bet.variance_guess / (2 * odds + np.log1p(2 * odds))
    peaked = shares * np.exp(-((shares / bet.mean_guess) ** 2) * rho / 2)
    prior = 0.8 * peaked / peaked.sum() + 0.2 / 20
    factors = 1 + np.multiply.outer(shares, level_values(len(counts)) / m - 1)
    return float(logsumexp(np.log(factors) @ np.asarray(counts, float), b=prior))


@pytest.mark.parametrize(
    "counts", [[100, 900], [1, 9], [3, 1_000], [10, 20, 300], [1, 2, 3, 4, 5, 6], [7] * 65]
)
def test_a_limit_is_where_the_wealth_reaches_two_over_alpha(counts: list[int]) -> None:
    goal = np.log(2 / BET.alpha)
    average = float(mean(counts))
    lower = brentq(lambda m: evidence_above(counts, m) - goal, 1e-9, average, xtol=1e-14)
    mirrored = MixtureBet(0.05, 1_000, mean_guess=0.2)
    upper = 1 - brentq(
        lambda m: evidence_above(counts[::-1], m, mirrored) - goal, 1e-9, 1 - average, xtol=1e-14
    )
    found = BET.interval(counts)
    assert (found.lower, found.upper) == pytest.approx((lower, upper), abs=1e-9)


@settings(deadline=None)
@given(st.integers(2, 65))
def test_knowing_nothing_is_the_whole_range(levels: int) -> None:
    assert BET.interval([0] * levels) == Interval(0.0, 1.0)


@settings(deadline=None)
@given(st.integers(1, 2**60), st.integers(2, 65))
def test_perfect_scores_never_exclude_perfection(n: int, levels: int) -> None:
    found = BET.interval([0] * (levels - 1) + [n])
    assert found.upper == 1.0
    assert found.lower > 0.0


@settings(deadline=None)
@given(st.integers(1, 2**60), st.integers(2, 65))
def test_worst_scores_never_exclude_the_worst(n: int, levels: int) -> None:
    found = BET.interval([n] + [0] * (levels - 1))
    assert found.lower == 0.0
    assert found.upper < 1.0


@settings(deadline=None)
@given(COUNTS.filter(any))
def test_an_interval_holds_the_mean_seen(counts: list[int]) -> None:
    found = BET.interval(counts)
    assert 0.0 <= found.lower <= float(mean(counts)) + 1e-12
    assert float(mean(counts)) - 1e-12 <= found.upper <= 1.0


@settings(deadline=None)
@given(st.integers(2, 12).flatmap(lambda k: st.tuples(*[st.integers(0, 2**62)] * k)))
def test_huge_counts_give_plain_numbers(counts: tuple[int, ...]) -> None:
    found = BET.interval(counts)
    assert 0.0 <= found.lower <= found.upper <= 1.0


@settings(deadline=None)
@given(COUNTS)
def test_turning_the_scale_round_turns_the_interval_round(counts: list[int]) -> None:
    even = MixtureBet(0.05, 1_000, mean_guess=0.5)
    found, turned = even.interval(counts), even.interval(counts[::-1])
    assert found.lower == pytest.approx(1 - turned.upper, abs=1e-9)
    assert found.upper == pytest.approx(1 - turned.lower, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 9), st.integers(1, 40), st.integers(0, 2**32))
def test_a_row_does_not_depend_on_its_neighbours(levels: int, rows: int, seed: int) -> None:
    counts = np.random.default_rng(seed).integers(0, 500, (rows, levels))
    lower, upper = BET.intervals(counts)
    alone = [BET.interval(row) for row in counts]
    assert [Interval(*pair) for pair in zip(lower, upper, strict=True)] == alone


def test_many_rows_of_a_fine_grid_are_solved_in_blocks() -> None:
    counts = np.random.default_rng(0).integers(0, 50, (2_000, 65))
    lower, upper = BET.intervals(counts)
    assert Interval(lower[-1], upper[-1]) == BET.interval(counts[-1])
    assert (lower < mean(counts)).all()
    assert (mean(counts) < upper).all()


def test_limits_never_cross_where_rounding_is_wider_than_they_are() -> None:
    found = BET.interval((0, 0, 0, 126_100_789_566_373_816, 0, 1))
    assert found.lower <= found.upper


def test_less_error_or_fewer_scores_widen_the_interval() -> None:
    wide = MixtureBet(0.001, 1_000).interval([100, 900])
    assert wide.lower < BET.interval([100, 900]).lower
    assert BET.interval([10, 90]).half_width > 2 * BET.interval([100, 900]).half_width


@pytest.mark.parametrize("p", [0.5, 0.9, 0.95, 0.98])
@pytest.mark.parametrize("n", [300, 1_000, 10_000, 100_000])
def test_width_is_at_most_twice_that_of_an_interval_for_one_look(p: float, n: int) -> None:
    passes = np.random.default_rng(n).binomial(n, p, 400)
    lower, upper = BET.intervals(np.stack([n - passes, passes], axis=1))
    one_look = 2 * 1.96 * np.sqrt(p * (1 - p) / n)
    assert (upper - lower).mean() <= (2.0 if p > 0.95 else 1.82) * one_look


@pytest.mark.parametrize(
    "bad",
    [{"alpha": 0.0}, {"expected_n": 0}, {"mean_guess": 1.0}, {"variance_guess": 0.3}],
)
def test_a_bet_that_cannot_be_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        MixtureBet(**{"alpha": 0.05, "expected_n": 1_000, **bad})


@pytest.mark.parametrize("bad", [[[-1, 2]], [[3]], [1, 2]])
def test_counts_that_are_none_are_refused(bad: ArrayLike) -> None:
    with pytest.raises(ValueError, match="counts"):
        BET.intervals(bad)
