"""Panes and windows: arithmetic on the epoch's grid."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.windows import closed, start_ms

TIMES = st.integers(-(2**45), 2**45)
WIDTHS = st.integers(1, 10**9)


@given(TIMES, WIDTHS)
def test_every_time_lies_in_its_own_pane(time_ms: int, width_ms: int) -> None:
    begin_ms = start_ms(time_ms, width_ms)
    assert begin_ms <= time_ms < begin_ms + width_ms
    assert begin_ms % width_ms == 0


@given(TIMES, WIDTHS, st.integers(1, 500))
def test_a_window_of_whole_panes_holds_its_panes_whole(
    time_ms: int, pane_ms: int, panes: int
) -> None:
    pane = start_ms(time_ms, pane_ms)
    window_ms = pane_ms * panes
    assert start_ms(pane, window_ms) == start_ms(time_ms, window_ms)
    assert pane + pane_ms <= start_ms(time_ms, window_ms) + window_ms


@pytest.mark.parametrize(
    ("watermark_ms", "expected"), [(-1, False), (59_999, False), (60_000, True), (10**9, True)]
)
def test_a_pane_closes_when_the_watermark_reaches_its_end(
    watermark_ms: int, expected: bool
) -> None:
    assert closed(0, 60_000, watermark_ms) is expected
