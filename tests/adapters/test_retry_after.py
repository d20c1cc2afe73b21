"""`Retry-After` as seconds, as a date, as nonsense."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.adapters.retry_after import retry_after_s

NOON = datetime(2025, 6, 1, 12, 0, 0, tzinfo=UTC)
NOON_HTTP = "Sun, 01 Jun 2025 12:00:00 GMT"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        ("0.25", 0.25),
        ("1000000000", 1e9),
        ("-5", 0.0),
        ("Sun, 01 Jun 2025 12:00:30 GMT", 30.0),
        ("Sunday, 01-Jun-25 12:00:30 GMT", 30.0),
        ("Sun, 01 Jun 2025 14:00:30 +0200", 30.0),
        ("Sun, 01 Jun 2025 11:59:00 GMT", 0.0),
    ],
)
def test_a_usable_wish_is_in_seconds_from_now(value: str, seconds: float) -> None:
    assert retry_after_s({"Retry-After": value}, NOON) == seconds


@pytest.mark.parametrize("value", ["", "soon", "nan", "inf", "-inf", "9" * 400, "1 2", "Sun, 99"])
def test_an_unusable_wish_is_none(value: str) -> None:
    assert retry_after_s({"Retry-After": value}, NOON) is None


def test_what_a_provider_behind_a_proxy_wished_counts_where_the_proxy_wishes_nothing() -> None:
    behind = {"llm_provider-retry-after": "9"}
    assert retry_after_s(behind, NOON) == 9.0
    assert retry_after_s({**behind, "Retry-After": "7"}, NOON) == 7.0


def test_no_header_is_no_wish() -> None:
    assert retry_after_s({}, NOON) is None


def test_a_wrong_clock_here_does_not_matter_when_the_reply_is_dated() -> None:
    headers = {"Retry-After": "Sun, 01 Jun 2025 12:00:30 GMT", "Date": NOON_HTTP}
    assert retry_after_s(headers, datetime(1970, 1, 1, tzinfo=UTC)) == 30.0


@given(st.text(), st.text())
def test_no_text_whatever_is_an_error(wish: str, date: str) -> None:
    seconds = retry_after_s({"Retry-After": wish, "Date": date}, NOON)
    assert seconds is None or seconds >= 0
