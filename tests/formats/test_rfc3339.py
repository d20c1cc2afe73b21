"""Instants against the standard library's own arithmetic."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.errors import RecordError
from streaming_eval.formats.rfc3339 import epoch_ms

_OFFSETS = st.builds(lambda m: timezone(timedelta(minutes=m)), st.integers(-1_439, 1_439))
_INSTANTS = st.datetimes(datetime(1970, 1, 3), datetime(9999, 12, 29), timezones=_OFFSETS)  # noqa: DTZ001


@given(_INSTANTS)
def test_any_instant_in_any_zone_is_the_same_instant(instant: datetime) -> None:
    since = instant - datetime(1970, 1, 1, tzinfo=UTC)
    assert epoch_ms(instant.isoformat()) == since // timedelta(milliseconds=1)


@given(_INSTANTS)
def test_letters_may_be_small(instant: datetime) -> None:
    text = instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
    assert epoch_ms(text.lower()) == epoch_ms(text)


@pytest.mark.parametrize(
    ("fraction", "ms"), [(".9", 900), (".001", 1), (".0009", 0), (".999999999", 999), ("", 0)]
)
def test_what_is_finer_than_a_millisecond_is_cut_off(fraction: str, ms: int) -> None:
    assert epoch_ms(f"2025-03-01T00:00:00{fraction}Z") % 1_000 == ms


@pytest.mark.parametrize(
    "leap", ["2016-12-31T23:59:60Z", "2015-06-30T23:59:60Z", "1990-12-31T15:59:60-08:00"]
)
def test_a_leap_second_counts_as_the_second_after_it(leap: str) -> None:
    assert epoch_ms(leap) == epoch_ms(leap.replace(":60", ":59")) + 1_000


def test_a_zone_without_sign_of_its_hours_still_has_minutes() -> None:
    assert epoch_ms("1970-01-01T00:00:00-00:30") == 30 * 60_000


def test_nothing_but_a_record_error_is_raised_at_the_edge_of_the_calendar() -> None:
    for text in ("9999-12-31T23:59:60Z", "9999-12-31T23:59:59-00:01", "0001-01-01T00:00:00+23:59"):
        with pytest.raises(RecordError, match="1970 to 9999"):
            epoch_ms(text)
