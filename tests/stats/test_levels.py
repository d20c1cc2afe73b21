"""From scores to counts: direction, rounding, and what must be refused."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.stats.cells import QuantileCells
from streaming_eval.stats.levels import Scale, level_values, mean, mixed, to_levels, uniforms

JUDGE = Scale(1, 3, True, 3)
LATENCY = Scale(0, 60_000, False, 65)


@given(
    st.floats(-1e6, 1e6),
    st.floats(1e-3, 1e6),
    st.booleans(),
    st.lists(st.floats(0, 1), min_size=1, max_size=20),
)
def test_raw_undoes_unit(
    low: float, span: float, higher_is_better: bool, shares: list[float]
) -> None:
    scale = Scale(low, low + span, higher_is_better, 65)
    own = low + np.array(shares) * span
    assert scale.raw(scale.unit(own)) == pytest.approx(own, rel=1e-9, abs=1e-6 * span)


LENGTH = Scale(0, 1_000_000, True, 65, logarithmic=True)
SLOW = Scale(0, 60_000, False, 65, logarithmic=True)


@given(st.floats(0, 1e6), st.booleans())
def test_on_a_logarithmic_scale_raw_undoes_unit_too(own: float, higher_is_better: bool) -> None:
    scale = replace(LENGTH, higher_is_better=higher_is_better)
    assert float(scale.raw(scale.unit(own))) == pytest.approx(own, rel=1e-9, abs=1e-6)


def test_on_a_logarithmic_scale_equal_ratios_are_equally_far_apart() -> None:
    small, large = (float(np.diff(LENGTH.unit([n, 2 * n + 1]))[0]) for n in (10, 100_000))
    assert small == pytest.approx(large)
    assert small == pytest.approx(LENGTH.part(1.0))
    assert LENGTH.unit([0, 1e6, 1e9]).tolist() == [0.0, 1.0, 1.0]
    assert SLOW.unit([0, 60_000]).tolist() == [1.0, 0.0]


def test_a_mean_on_a_logarithmic_scale_is_the_geometric_mean_on_the_own_one() -> None:
    own = np.array([0, 9, 99, 100_000])
    geometric = np.exp(np.log1p(own).mean()) - 1
    assert float(LENGTH.raw(LENGTH.unit(own).mean())) == pytest.approx(geometric)


def test_usual_latencies_fill_ten_cells_of_a_logarithmic_scale_and_few_of_an_even_one() -> None:
    usual = np.exp(np.random.default_rng(1).normal(np.log(900), 0.5, 20_000))
    cells = []
    for scale in (SLOW, replace(SLOW, logarithmic=False)):
        levels = np.rint(scale.unit(usual) * 64).astype(np.int64)
        found = QuantileCells.of_counts(level_values(65), np.bincount(levels, minlength=65))
        cells.append(0 if found is None else found.cells)
    assert cells == [10, 4]


def test_differences_lie_on_an_even_scale_where_they_keep_their_unit() -> None:
    assert SLOW.difference() == LATENCY.difference()


def test_a_ratio_has_no_length_on_an_even_scale() -> None:
    with pytest.raises(ValueError, match="even scale"):
        LATENCY.part(0.1)


def test_one_is_good_whatever_the_direction() -> None:
    assert JUDGE.unit([1, 2, 3]).tolist() == [0.0, 0.5, 1.0]
    assert LATENCY.unit([0, 60_000]).tolist() == [1.0, 0.0]


def test_a_value_beyond_the_range_counts_as_its_end() -> None:
    assert LATENCY.unit([90_000, -5]).tolist() == [0.0, 1.0]


@pytest.mark.parametrize(("levels", "expected"), [(2, 3), (3, 5), (33, 65), (40, 65), (65, 65)])
def test_a_difference_gets_twice_the_levels_up_to_65(levels: int, expected: int) -> None:
    assert Scale(0, 1, True, levels).difference().levels == expected


def test_no_difference_lies_in_the_middle_and_a_better_own_value_above() -> None:
    assert JUDGE.difference().unit([-2, 0, 2]).tolist() == [0.0, 0.5, 1.0]
    assert LATENCY.difference().unit([-60_000, 0, 60_000]).tolist() == [1.0, 0.5, 0.0]


@pytest.mark.parametrize("bad", [(1, 1, 2), (2, 1, 2), (0, 1, 1), (0, 1, 66), (0, float("nan"), 2)])
def test_a_scale_that_cannot_be_is_refused(bad: tuple[float, float, int]) -> None:
    low, high, levels = bad
    with pytest.raises(ValueError, match=r"low|levels"):
        Scale(low, high, True, levels)


@given(st.integers(2, 65), st.booleans(), st.floats(0, 1, exclude_max=True), st.data())
def test_a_value_on_the_grid_is_never_rounded(
    levels: int, higher_is_better: bool, uniform: float, data: st.DataObject
) -> None:
    level = data.draw(st.integers(0, levels - 1))
    scale = Scale(-3.7, 1e4, higher_is_better, levels)
    own = scale.raw(level_values(levels)[[level]])
    assert to_levels(own, scale, np.array([uniform])).tolist() == [level]


@given(st.floats(0, 1), st.integers(2, 65))
def test_rounding_is_unbiased(value: float, levels: int) -> None:
    even = (np.arange(10_000) + 0.5) / 10_000  # a uniform taken to its limit
    drawn = to_levels(np.full(10_000, value), Scale(0, 1, True, levels), even)
    assert level_values(levels)[drawn].mean() == pytest.approx(value, abs=2e-4)
    assert drawn.max() - drawn.min() <= 1


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_score_that_is_no_number_is_an_error_not_a_level(bad: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        to_levels([0.5, bad], JUDGE, np.array([0.5, 0.5]))


def test_hashes_become_numbers_from_0_to_below_1() -> None:
    ends = np.array([0, -1, 2**63 - 1, -(2**63)], np.int64)
    numbers = uniforms(ends)
    assert numbers.tolist() == [0.0, 1 - 2**-53, 0.5 - 2**-53, 0.5]
    assert uniforms(ends.view(np.uint64)).tolist() == numbers.tolist()


def test_well_mixed_hashes_are_spread_evenly() -> None:
    hashes = np.random.default_rng(1).integers(-(2**63), 2**63 - 1, 100_000)
    shares = np.histogram(uniforms(hashes), bins=10, range=(0, 1))[0] / 100_000
    assert shares == pytest.approx(np.full(10, 0.1), abs=0.005)


def test_the_mean_of_nothing_is_not_a_number() -> None:
    assert np.isnan(mean([0, 0, 0]))
    assert mean([[1, 1], [0, 0], [1, 3]]).tolist()[::2] == [0.5, 0.75]


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=65).filter(any))
def test_the_mean_agrees_with_spelling_every_score_out(counts: list[int]) -> None:
    few = np.array(counts) % 50
    few[0] += 1
    spelt_out = np.repeat(level_values(len(few)), few)
    assert mean(few) == pytest.approx(spelt_out.mean())


def test_mixed_hashes_are_uniform_and_one_salt_tells_nothing_of_another() -> None:
    hashes = np.arange(100_000, dtype=np.uint64)  # as badly mixed as can be
    one, other = (uniforms(mixed(hashes, salt)) for salt in (1, 2**64 - 3))
    for numbers in (one, other):
        assert np.abs(np.histogram(numbers, bins=10, range=(0, 1))[0] / 100_000 - 0.1).max() < 0.005
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.015
    assert len(np.unique(mixed(hashes, 7))) == 100_000
    assert mixed(hashes[:1], 0).tolist() == [0]
    assert mixed(hashes, 7)[3] == mixed(hashes[3:], 7)[0]
