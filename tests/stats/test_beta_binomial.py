"""Beta-binomial intervals: published values, an independent computation, edges, the guarantee."""

from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.stats import beta

from streaming_eval.stats.beta_binomial import BetaBinomial
from streaming_eval.stats.interval import Interval

RATE = BetaBinomial(0.05, expected_n=1_000)


@pytest.mark.parametrize(
    ("passes", "n", "t_opt", "lower", "upper"),
    [
        (700, 1000, 100, 0.651629, 0.745949),
        (15, 50, 50, 0.129556, 0.511896),
        (5, 50, 50, 0.013021, 0.269264),
        (1, 50, 50, 0.0, 0.13489),
        (1, 2, 50, 0.0, 1.0),
        (100, 200, 1, 0.328923, 0.671076),
        (0, 1, 50, 0.0, 1.0),
        (1, 1, 50, 0.0, 1.0),
    ],
)
def test_one_beta_distribution_gives_the_published_limits(
    passes: int, n: int, t_opt: float, lower: float, upper: float
) -> None:
    """Targets of confseq's own tests (test/uniform_boundaries_unittest.cpp), made in R."""
    found = BetaBinomial(0.05, t_opt, ((1.0, 1.0),)).interval([n - passes, passes])
    assert (found.lower, found.upper) == pytest.approx((lower, upper), abs=1e-5)


@pytest.mark.parametrize(("passes", "fails", "p"), [(7, 3, 0.5), (40, 2, 0.9), (0, 30, 0.1)])
def test_the_evidence_is_the_average_of_likelihood_ratios(
    passes: int, fails: int, p: float
) -> None:
    one = BetaBinomial(0.05, 200, ((1.0, 1.0),))
    odds = np.log(1 / 0.05)
    strength = 200 / (2 * odds + np.log1p(2 * odds)) - 1

    def weighted_ratio(q: float) -> float:
        ratio = float((q / p) ** passes * ((1 - q) / (1 - p)) ** fails)
        return ratio * float(beta.pdf(q, strength * p, strength * (1 - p)))

    average, _ = quad(weighted_ratio, 0, 1)
    assert float(one.log_evidence(passes, fails, p)) == pytest.approx(np.log(average), abs=1e-6)


@pytest.mark.parametrize(("passes", "fails"), [(900, 100), (2, 0), (3, 997), (41, 2), (10**6, 7)])
def test_a_limit_is_where_the_evidence_reaches_one_over_alpha(passes: int, fails: int) -> None:
    def short(p: float) -> float:
        return float(RATE.log_evidence(passes, fails, p)) - log(20)

    seen = passes / (passes + fails)
    found = RATE.interval([fails, passes])
    lower = brentq(short, 1e-12, min(seen, 1 - 1e-12), xtol=1e-14)
    assert found.lower == pytest.approx(lower, abs=1e-9)
    if fails >= 2:
        assert found.upper == pytest.approx(brentq(short, seen, 1 - 1e-12, xtol=1e-14), abs=1e-9)


def test_no_score_says_nothing() -> None:
    assert RATE.interval([0, 0]) == Interval(0.0, 1.0)


@settings(deadline=None)
@given(st.integers(1, 2**60))
def test_perfect_passes_never_exclude_perfection(n: int) -> None:
    found = RATE.interval([0, n])
    assert found.upper == 1.0
    assert 0.0 <= found.lower < 1.0 or n > 2**50


@settings(deadline=None)
@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_the_rate_seen_is_inside_and_sides_mirror(fails: int, passes: int) -> None:
    found, turned = RATE.interval([fails, passes]), RATE.interval([passes, fails])
    seen = passes / max(passes + fails, 1)
    assert 0.0 <= found.lower <= seen + 1e-12 or passes + fails == 0
    assert seen - 1e-12 <= found.upper <= 1.0
    assert found.lower == 1 - turned.upper or found.upper == 1 - turned.lower


@settings(deadline=None)
@given(st.integers(2, 500), st.integers(0, 500))
def test_evidence_against_rates_falls_and_then_rises(passes: int, fails: int) -> None:
    """Convex: so the rates that are left are an interval."""
    rates = np.linspace(0.001, 0.999, 400)
    evidence = RATE.log_evidence(passes, fails, rates)
    assert (np.diff(evidence, 2) > -1e-9).all()


def test_rows_do_not_depend_on_their_neighbours() -> None:
    counts = np.random.default_rng(5).integers(0, 3_000, (200, 2))
    lower, upper = RATE.intervals(counts)
    alone = [RATE.interval(row) for row in counts]
    assert [Interval(*pair) for pair in zip(lower, upper, strict=True)] == alone


@pytest.mark.parametrize("p", [0.5, 0.9, 0.98])
@pytest.mark.parametrize("n", [300, 1_000, 10_000, 100_000])
def test_width_is_at_most_1_82_times_that_of_an_interval_for_one_look(p: float, n: int) -> None:
    passes = np.random.default_rng(n).binomial(n, p, 400)
    lower, upper = RATE.intervals(np.stack([n - passes, passes], axis=1))
    assert (upper - lower).mean() <= 1.82 * 2 * 1.96 * np.sqrt(p * (1 - p) / n)


@pytest.mark.parametrize("p", [0.5, 0.9, 0.98])
def test_the_rate_rarely_ever_leaves(p: float) -> None:
    """Ville: over 2,000 paths of 1,000 scores, looked at after each."""
    n = np.arange(1, 1_001)
    passes = (np.random.default_rng(3).random((2_000, n.size)) < p).cumsum(axis=1)
    every = np.arange(n.size + 1)
    evidence = RATE.log_evidence(every[:, None], np.maximum(n - every[:, None], 0), p)
    missed = (evidence[passes, n - 1] >= np.log(20)).any(axis=1).mean()
    assert 0.0 < missed <= 0.05 + 3 * (0.05 * 0.95 / 2_000) ** 0.5


@pytest.mark.parametrize(
    ("bad", "word"),
    [
        ({"alpha": 1.0}, "alpha"),
        ({"expected_n": 0.0}, "expected_n"),
        ({"spread": ((1.0, 0.5),)}, "spread"),
    ],
)
def test_what_cannot_be_is_refused(bad: dict[str, float], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        BetaBinomial(**{"alpha": 0.05, "expected_n": 1_000, **bad})  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [[[1, 2, 3]], [1, 2], [[-1, 2]]])
def test_counts_that_are_no_fails_and_passes_are_refused(bad: ArrayLike) -> None:
    with pytest.raises(ValueError, match="fails and passes"):
        RATE.intervals(bad)
