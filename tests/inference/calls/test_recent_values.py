from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.inference.calls.recent_values import RecentValues


@given(
    values=st.lists(st.floats(0, 1e6), max_size=60),
    share=st.sampled_from([0, 0.01, 0.5, 0.95, 0.99]),
    window=st.integers(5, 20),
)
def test_a_quantile_is_that_of_the_newest_values_and_of_no_others(
    values: list[float], share: float, window: int
) -> None:
    recent = RecentValues(window=window, least=5)
    for n, value in enumerate(values, 1):
        recent.add(value)
        newest = sorted(values[max(0, n - window) : n])
        expected = newest[math.floor(share * len(newest))] if n >= 5 else None
        assert recent.quantile(share) == expected


@pytest.mark.parametrize("share", [0.5, 0.9, 0.98])
def test_that_share_of_the_values_lies_below(share: float) -> None:
    recent = RecentValues(window=1_000, least=1)
    for n in range(5_000):
        recent.add(n * 7 % 1_000)
    assert recent.quantile(share) == share * 1_000
