"""Quantiles off level counts: the bracket, the limits of exact values, the guarantee."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming_eval.stats.beta_binomial import BetaBinomial
from streaming_eval.stats.level_quantiles import LevelQuantiles
from streaming_eval.stats.levels import FINEST_LEVELS, Scale, to_levels
from streaming_eval.stats.quantile_sequence import QuantileSequence

SHARES = (0.5, 0.95, 0.99)
CAP = 60_000.0
SLOW = Scale(0.0, CAP, higher_is_better=True, levels=FINEST_LEVELS, logarithmic=True)
EVEN = Scale(0.0, CAP, higher_is_better=True, levels=65)
ALPHA = 0.1


def counted(values: np.ndarray, scale: Scale, seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).random(len(values))
    return np.bincount(to_levels(values, scale, drawn), minlength=scale.levels)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 4_000), st.integers(0, 2**32), st.sampled_from([SLOW, EVEN]))
def test_limits_are_those_of_the_values_moved_outward_by_less_than_two_levels(
    n: int, seed: int, scale: Scale
) -> None:
    """Against the ranks of `QuantileSequence`, found by another search on the values themselves."""
    values = np.sort(np.exp(np.random.default_rng(seed).normal(7.0, 1.0, n)))
    found = LevelQuantiles(SHARES, ALPHA, 1_000).limits([counted(values, scale, seed)])
    for place, p in enumerate(SHARES):
        low, high = QuantileSequence(p, ALPHA, 1_000).ranks(n)
        exact = scale.unit(values[low - 1]) if low else 0.0
        two, slack = 2.0 / (scale.levels - 1), 1e-9
        assert exact - two - slack <= found.lower[0, place] <= exact + slack
        if high <= n and values[high - 1] < CAP:
            exact = scale.unit(values[high - 1])
            assert exact - slack <= found.upper[0, place]
            assert found.upper[0, place] <= exact + two + slack or exact + two >= 1.0
        else:
            assert found.upper[0, place] == np.inf


@given(st.lists(st.integers(0, 2_000), min_size=2, max_size=FINEST_LEVELS))
@settings(deadline=None)
def test_values_lie_within_their_limits_and_larger_shares_above(counts: list[int]) -> None:
    found = LevelQuantiles(SHARES, ALPHA, 1_000).limits([counts])
    assert (found.lower <= found.upper).all()
    assert (np.diff(found.lower[0]) >= 0).all()
    assert (np.diff(found.upper[0][np.isfinite(found.upper[0])]) >= 0).all()
    if any(counts):
        assert (found.lower <= found.values + 1e-12).all()
        assert (found.values <= found.upper + 1e-12).all()


def test_nothing_known_is_the_whole_range() -> None:
    found = LevelQuantiles(SHARES, ALPHA, 1_000).limits(np.zeros((2, 65)))
    assert np.isnan(found.values).all()
    assert (found.lower == 0.0).all()
    assert (found.upper == np.inf).all()


def test_rows_are_read_as_if_each_were_alone() -> None:
    rng = np.random.default_rng(1)
    rows = rng.integers(0, 40, (30, 129)) * (rng.random((30, 129)) < rng.random((30, 1)))
    quantiles = LevelQuantiles(SHARES, ALPHA, 1_000)
    together = quantiles.limits(rows)
    for place, row in enumerate(rows):
        alone = quantiles.limits([row])
        assert np.array_equal(alone.lower[0], together.lower[place])
        assert np.array_equal(alone.upper[0], together.upper[place])
        assert np.array_equal(alone.values[0], together.values[place], equal_nan=True)


def test_values_beyond_the_cap_leave_the_upper_limit_open() -> None:
    counts = [0] * 64 + [1_000]
    found = LevelQuantiles((0.5,), ALPHA, 1_000).limits([counts])
    assert found.upper[0, 0] == np.inf
    assert found.values[0, 0] > 0.99


def test_the_value_of_many_scores_is_the_quantile() -> None:
    values = np.exp(np.random.default_rng(3).normal(7.0, 0.7, 200_000))
    found = LevelQuantiles(SHARES, ALPHA, 1_000).limits([counted(values, SLOW, 4)])
    assert SLOW.raw(found.values[0]) == pytest.approx(np.quantile(values, SHARES), rel=0.02)


def drawn(kind: str, rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    if kind == "lognormal":
        return np.exp(rng.normal(7.0, 1.0, shape))
    if kind == "few values":
        return rng.choice([200.0, 900.0, 5_000.0], shape, p=[0.5, 0.45, 0.05])
    return np.where(rng.random(shape) < 0.95, 500.0, 500.0 * rng.pareto(0.8, shape) + 500.0)


TRUE = {
    "lognormal": np.exp(7.0 + np.array([0.0, 1.6448536, 2.3263479])),
    "few values": np.array([200.0, 900.0, 5_000.0]),  # the first two: each between two values
    "heavy tail": np.array([500.0, 500.0, 500.0 * 5.0**1.25]),
}


@pytest.mark.parametrize("scale", [SLOW, EVEN], ids=["logarithmic", "even"])
@pytest.mark.parametrize("kind", TRUE)
def test_a_quantile_is_hardly_ever_outside_at_any_look(kind: str, scale: Scale) -> None:
    """Whole paths, a look after every tenth score, the values rounded to levels at random."""
    rng = np.random.default_rng(11)
    paths, n, every = 250, 600, 10
    position = to_levels(drawn(kind, rng, (paths, n)), scale, rng.random((paths, n)))
    truth = scale.unit(TRUE[kind])
    counts = np.zeros((paths, scale.levels), np.int64)
    missed = np.zeros((paths, len(SHARES)), bool)
    quantiles = LevelQuantiles(SHARES, ALPHA, 300)
    for first in range(0, n, every):
        np.add.at(counts, (np.arange(paths)[:, None], position[:, first : first + every]), 1)
        found = quantiles.limits(counts)
        missed |= (truth < found.lower - 1e-9) | (truth > found.upper + 1e-9)
    allowed = ALPHA + 3.0 * np.sqrt(ALPHA * (1.0 - ALPHA) / paths)
    assert (missed.mean(axis=0) <= allowed).all(), missed.mean(axis=0)


def test_limits_that_were_not_moved_outward_would_miss_too_often() -> None:
    """The simulation can fail: a quantile right above a level, told as if at it."""
    rng = np.random.default_rng(12)
    paths, n = 300, 2_000
    step = 1.0 / (SLOW.levels - 1)
    just_above = SLOW.raw((60 + 0.02) * step)
    values = np.where(rng.random((paths, n)) < 0.9, just_above, CAP / 2.0)
    position = to_levels(values, SLOW, rng.random((paths, n)))
    counts = np.stack([np.bincount(row, minlength=SLOW.levels) for row in position])
    found = LevelQuantiles((0.5,), ALPHA, 2_000).limits(counts)
    assert (SLOW.unit(just_above) <= found.upper[:, 0]).all()
    inward = found.upper[:, 0] - step
    assert (SLOW.unit(just_above) > inward).mean() > ALPHA


@pytest.mark.parametrize("shares", [(0.0,), (1.0,), (0.5, 1.5)])
def test_shares_outside_zero_and_one_are_refused(shares: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="shares must lie"):
        LevelQuantiles(shares, ALPHA, 1_000)


@pytest.mark.parametrize("counts", [[[1]], [1, 2], [[1, -1]]])
def test_what_is_no_table_of_counts_is_refused(counts: object) -> None:
    with pytest.raises(ValueError, match="counts must be a table"):
        LevelQuantiles(SHARES, ALPHA, 1_000).limits(counts)  # type: ignore[arg-type]


def test_evidence_alone_is_that_of_the_limits() -> None:
    """Where a limit of `BetaBinomial` lies, its evidence is log(1 / alpha)."""
    bets = BetaBinomial(ALPHA, 1_000)
    lower, upper = bets.intervals([[40, 160]])
    for limit in (*lower, *upper):
        assert bets.log_evidence(160, 40, limit) == pytest.approx(np.log(1.0 / ALPHA), rel=1e-4)
