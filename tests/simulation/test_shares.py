"""How scores are spread, and how a drop moves them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.simulation import spread, tilted
from streaming_eval.stats.levels import mean

LEVELS = st.integers(2, 65)


@given(LEVELS, st.floats(0.001, 0.999))
def test_a_spread_has_the_mean_that_was_asked_for(levels: int, wanted: float) -> None:
    shares = spread(levels, wanted)
    assert shares.sum() == pytest.approx(1.0)
    assert shares.min() >= 0.0
    assert float(mean(shares)) == pytest.approx(wanted, abs=1e-6)


@given(st.lists(st.floats(0.01, 1.0), min_size=3, max_size=6), st.floats(0.05, 0.95))
def test_a_drop_changes_the_ratio_of_neighbouring_levels_by_one_factor(
    weights: list[float], wanted: float
) -> None:
    start = np.array(weights) / sum(weights)
    moved = tilted(start, wanted)
    assert float(mean(moved)) == pytest.approx(wanted, abs=1e-6)
    factors = (moved / start)[1:] / (moved / start)[:-1]
    assert factors == pytest.approx(factors[0], rel=1e-5)


def test_no_other_spread_with_that_mean_is_more_even() -> None:
    ours = spread(3, 0.8)
    for shift in (-0.02, -0.01, 0.01, 0.02):  # every other spread of this mean over three levels
        other = ours + np.array([shift, -2 * shift, shift])
        assert -(other * np.log(other)).sum() < -(ours * np.log(ours)).sum()


def test_levels_that_never_occur_do_not_occur_after_a_drop_either() -> None:
    assert tilted([0.0, 0.4, 0.0, 0.6], 0.5)[[0, 2]].tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match=r"must lie in \[0.333333, 1\], got 0.1"):
        tilted([0.0, 0.4, 0.0, 0.6], 0.1)
