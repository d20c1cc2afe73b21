"""Limits of latency and cost: exact counts, and a promise about how often the limit is kept."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from streaming_eval.stats.exceedance import Limit, agreed_limit, needed, quantile_limit

BUCKETS = list(range(-3, 5))
COUNTS = st.lists(st.integers(0, 50), min_size=len(BUCKETS), max_size=len(BUCKETS))


@given(COUNTS, st.integers(-5, 6))
def test_every_score_is_within_or_beyond_in_whatever_order(counts: list[int], bucket: int) -> None:
    beyond, within = Limit(bucket, 0.9).pass_fail(BUCKETS, counts)
    assert beyond == sum(n for b, n in zip(BUCKETS, counts, strict=True) if b > bucket)
    assert beyond + within == sum(counts)
    order = np.random.default_rng(sum(counts)).permutation(len(BUCKETS))
    shuffled = Limit(bucket, 0.9).pass_fail(np.array(BUCKETS)[order], np.array(counts)[order])
    assert shuffled.tolist() == [beyond, within]


def test_many_panes_are_split_at_once() -> None:
    panes = np.arange(16).reshape(2, 8)
    both = Limit(0, 0.9).pass_fail(BUCKETS, panes)
    assert both.tolist() == [Limit(0, 0.9).pass_fail(BUCKETS, pane).tolist() for pane in panes]


@pytest.mark.parametrize("kept", [-0.1, 1.1, float("nan")])
def test_a_share_that_is_none_is_refused(kept: float) -> None:
    with pytest.raises(ValueError, match="kept"):
        Limit(0, kept)


@pytest.mark.parametrize("p", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("n", [400, 2_000])
def test_the_limit_is_the_first_order_statistic_that_is_sure_enough(p: float, n: int) -> None:
    """Ranks by brute force; one value a bucket, so that bucket and rank are the same."""
    limit = quantile_limit(p, np.arange(1, n + 1), np.ones(n, np.int64), alpha=0.05)
    sure = [k for k in range(1, n + 1) if binom.sf(k - 1, n, p) <= 0.05]
    assert limit == Limit(sure[0], p)


@pytest.mark.parametrize("p", [0.95, 0.99])
def test_a_baseline_rarely_names_a_limit_that_is_kept_less_often(p: float) -> None:
    rng = np.random.default_rng(5)
    shares = rng.dirichlet(np.full(200, 0.5))
    reach = shares.cumsum()
    samples = rng.multinomial(3_000, shares, size=2_000)
    limits = [quantile_limit(p, np.arange(200), row, alpha=0.05) for row in samples]
    wrong = np.mean([limit is None or reach[limit.bucket] < p for limit in limits])
    assert wrong <= 0.05 + 3 * (0.05 * 0.95 / 2_000) ** 0.5


@pytest.mark.parametrize("p", [0.5, 0.95, 0.999])
def test_a_baseline_of_just_enough_scores_names_a_limit(p: float) -> None:
    n = needed(p, 0.05)
    assert quantile_limit(p, [1], [n], 0.05) == Limit(1, p)
    assert quantile_limit(p, [1], [n - 1], 0.05) is None


def test_nothing_known_names_no_limit() -> None:
    assert quantile_limit(0.95, [1, 2], [0, 0], 0.05) is None


def test_an_agreed_limit_is_kept_as_often_as_the_baseline_surely_keeps_it() -> None:
    limit = agreed_limit(2, [1, 2, 3], [600, 390, 10], alpha=0.05)
    assert limit.bucket == 2
    assert binom.sf(989, 1_000, limit.kept) == pytest.approx(0.05)


@pytest.mark.parametrize("p", [0.5, 0.95, 0.99, 0.999])
@pytest.mark.parametrize("ratio", [1.2, 1.5, 2.0, 5.0])
def test_bets_lose_at_the_limit_and_one_is_near_the_best_beyond_it(p: float, ratio: float) -> None:
    detector = Limit(0, p).detector
    factors = np.exp(detector.increments(np.eye(2, dtype=np.int64)))
    assert np.array([1 - p, p]) @ factors == pytest.approx(1.0)
    worse = min(ratio * (1 - p), 0.99)
    growth = np.array([worse, 1 - worse]) @ np.log(factors)
    best = worse * np.log(worse / (1 - p)) + (1 - worse) * np.log((1 - worse) / p)
    assert growth.max() >= 0.85 * best


def test_a_limit_that_is_always_kept_can_still_be_watched() -> None:
    increments = Limit(0, 1.0).detector.increments([[5, 0], [0, 5]])
    assert np.isfinite(increments).all()
    assert (increments[0] > 0).all()
