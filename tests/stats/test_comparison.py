"""One record of a comparison, and the classical tests in it."""

from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from streaming_eval.stats import classical
from streaming_eval.stats.bootstrap import MOST_VALUES, bootstrap_mean
from streaming_eval.stats.comparison import Comparison, ScoreKind, compare
from streaming_eval.stats.levels import Floats, Scale

PASS_FAIL, GRADES = Scale(0, 1, True, 2), Scale(1, 5, True, 5)
LATENCY = Scale(0, 60_000, False, 65)


def compared(d: Floats, scale: Scale, kind: ScoreKind) -> Comparison:
    return compare(d, scale, kind, np.full(len(d), 0.5), alpha=0.05, expected_n=1_000)


@pytest.mark.parametrize(
    ("scale", "kind"),
    [
        (PASS_FAIL, ScoreKind.PASS_FAIL),
        (GRADES, ScoreKind.BOUNDED),
        (LATENCY, ScoreKind.UNBOUNDED),
        (LATENCY, ScoreKind.NEAR_NORMAL),
    ],
)
def test_no_pair_and_equal_pairs_say_nothing(scale: Scale, kind: ScoreKind) -> None:
    nothing = compared(np.zeros(0), scale, kind)
    assert nothing.effect is None
    assert nothing.interval.upper >= scale.high - scale.low
    equal = compared(np.zeros(200), scale, kind)
    for found in (nothing, equal):
        assert (found.worse.p, found.better.p) == pytest.approx((1.0, 1.0))
        assert found.interval.lower <= 0.0 <= found.interval.upper


@pytest.mark.parametrize("kind", [ScoreKind.UNBOUNDED, ScoreKind.NEAR_NORMAL])
def test_slower_is_worse(kind: ScoreKind) -> None:
    d = np.random.default_rng(0).normal(300.0, 1_000.0, 600)
    slower, faster = compared(d, LATENCY, kind), compared(-d, LATENCY, kind)
    assert slower.worse.p < 0.01 < 0.5 < slower.better.p
    assert faster.better.p == pytest.approx(slower.worse.p)
    assert slower.interval.lower > 0.0
    assert slower.one_look.p_worse < 0.01


def test_mirrored_pairs_give_mirrored_effects_and_evidence() -> None:
    d = np.random.default_rng(1).choice([-1.0, 0.0, 1.0], 400, p=[0.2, 0.7, 0.1])
    one, other = (compared(x, PASS_FAIL, ScoreKind.PASS_FAIL) for x in (d, -d))
    assert one.worse == other.better
    assert one.effect == pytest.approx(-(other.effect or 0.0))
    assert one.interval.lower == pytest.approx(-other.interval.upper, abs=1e-9)


def test_what_was_reached_stays_when_later_pairs_speak_against_it() -> None:
    losses = np.r_[-np.ones(30), np.ones(60)]
    early, late = (compared(x, PASS_FAIL, ScoreKind.PASS_FAIL) for x in (losses[:30], losses))
    assert late.worse.p == early.worse.p < 0.01
    assert late.worse.log_e < 0.0


def test_the_exact_test_is_twice_the_binomial_tail() -> None:
    found = classical.exact_mcnemar(5, 15, 0.05)
    assert found.p == pytest.approx(2 * stats.binom.cdf(5, 20, 0.5))
    assert found.p_worse == pytest.approx(stats.binom.cdf(5, 20, 0.5))
    assert classical.exact_mcnemar(0, 0, 0.05).effect_size is None
    assert classical.exact_mcnemar(3, 0, 0.05).effect_size == float("inf")


def test_t_is_students_and_says_nothing_without_spread() -> None:
    """Student (1908): hours of sleep gained by ten patients, second drug against the first."""
    sleep = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
    found = classical.paired_t(sleep)
    assert found.p == pytest.approx(0.002833, abs=1e-6)
    assert found.effect_size == pytest.approx(4.0621 / np.sqrt(10), abs=1e-4)
    assert np.isnan(classical.paired_t([1.0, 1.0]).p)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(-30, 30), min_size=1, max_size=30))
def test_the_rank_effect_is_the_difference_of_rank_sums_over_their_sum(d: list[int]) -> None:
    found = classical.wilcoxon(d)
    kept = [x for x in d if x]
    assert found.n == len(kept)
    if kept:
        ranks = stats.rankdata(np.abs(kept))
        won = sum(r for r, x in zip(ranks, kept, strict=True) if x > 0)
        assert found.effect_size == pytest.approx(2 * won / ranks.sum() - 1)


def _mean(values: Any, axis: int = -1) -> Any:  # noqa: ANN401 - as scipy types it
    return np.mean(values, axis=axis)


@pytest.mark.parametrize("method", ["percentile", "BCa"])
def test_bootstrap_limits_are_those_of_scipy_but_for_chance(
    method: Literal["percentile", "BCa"],
) -> None:
    values = np.random.default_rng(0).exponential(1.0, 40)
    ours = bootstrap_mean(values, 0.05)
    theirs = stats.bootstrap(
        (values,), _mean, n_resamples=20_000, method=method, rng=np.random.default_rng(1)
    ).confidence_interval
    assert ours is not None
    found = ours.percentile if method == "percentile" else ours.bca
    assert found is not None
    assert (found.lower, found.upper) == pytest.approx((theirs.low, theirs.high), abs=0.04)


def test_bootstrap_is_left_out_where_it_means_nothing() -> None:
    assert bootstrap_mean([1.0], 0.05) is None
    assert bootstrap_mean(np.zeros(MOST_VALUES + 1), 0.05) is None
    constant = bootstrap_mean([2.0] * 9, 0.05)
    assert constant is not None
    assert constant.bca is None
