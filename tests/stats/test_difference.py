"""Differences of means: limits, and evidence that current is worse than baseline."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming_eval.stats.difference import (
    independent_difference,
    log_evidence_of_drop,
    paired_difference,
)
from streaming_eval.stats.interval import Interval
from streaming_eval.stats.mixture_bet import MixtureBet

BET = MixtureBet(0.05, expected_n=1_000)
EVEN = MixtureBet(0.05, 1_000, mean_guess=0.5, variance_guess=0.05)
COUNTS = st.lists(st.integers(0, 400), min_size=3, max_size=3)


def test_nothing_known_of_one_side_leaves_what_the_other_allows() -> None:
    found = independent_difference(Interval(0.8, 0.9), Interval(0.0, 1.0))
    assert (found.lower, found.upper) == pytest.approx((-0.2, 0.9))


def test_a_paired_difference_of_nothing_is_the_whole_range() -> None:
    assert paired_difference([0, 0, 0], EVEN) == Interval(-1.0, 1.0)


def test_pairs_that_mostly_agree_need_far_fewer_samples() -> None:
    """900 against 850 passes of 1,000: 60 samples lost, 10 gained."""
    paired = paired_difference([60, 930, 10], EVEN)
    half = MixtureBet(0.025, 1_000)
    apart = independent_difference(half.interval([150, 850]), half.interval([100, 900]))
    assert paired.lower < -0.05 < paired.upper < 0.0
    assert paired.half_width < 0.5 * apart.half_width


@settings(deadline=None, max_examples=40)
@given(COUNTS, COUNTS)
def test_the_evidence_is_the_least_over_all_common_means(cur: list[int], base: list[int]) -> None:
    means = 1 / (1 + np.exp(np.linspace(12, -12, 4_001)))
    less = BET.log_evidence(np.tile(cur, (means.size, 1)), means)[1]
    more = BET.log_evidence(np.tile(base, (means.size, 1)), means)[0]
    found = float(log_evidence_of_drop([cur], [base], BET)[0])
    assert found <= (less + more).min() + 1e-9
    assert found == pytest.approx((less + more).min(), abs=2e-2)


def test_a_clear_drop_is_found_and_a_rise_is_not() -> None:
    good, bad = [[50, 950]], [[200, 800]]
    assert log_evidence_of_drop(bad, good, BET)[0] > np.log(1e6)
    assert log_evidence_of_drop(good, bad, BET)[0] < 0.0
    assert log_evidence_of_drop([[0, 0]], bad, BET)[0] < 0.0


@pytest.mark.parametrize("p", [0.5, 0.9])
def test_equal_means_rarely_ever_look_like_a_drop(p: float) -> None:
    """Against a baseline of 1,000, over whole paths; the baseline is drawn anew for each path."""
    rng = np.random.default_rng(12)
    peeks = np.unique(np.geomspace(10, 2_000, 12).astype(int))
    passes = rng.binomial(np.diff(peeks, prepend=0), p, (400, peeks.size)).cumsum(axis=1)
    base = np.repeat(rng.binomial(1_000, p, 400), peeks.size)
    evidence = log_evidence_of_drop(
        np.stack([np.tile(peeks, 400) - passes.ravel(), passes.ravel()], axis=1),
        np.stack([1_000 - base, base], axis=1),
        BET,
    )
    rejected = (evidence.reshape(400, -1) >= np.log(20)).any(axis=1).mean()
    assert rejected <= 0.05
