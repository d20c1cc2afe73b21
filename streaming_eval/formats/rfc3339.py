"""Instants as RFC 3339 writes them (Klyne and Newman 2002, "Date and Time on the Internet")."""

from __future__ import annotations

import re
from datetime import date

from streaming_eval.formats.reasons import DeadLetterReason as Reason
from streaming_eval.formats.reasons import rejected

_INSTANT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,18}))?"
    r"(?:[Zz]|([+-][0-9]{2}):([0-9]{2}))"
)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_DAY_S = 86_400
_END_S = (date.max.toordinal() + 1 - _EPOCH_DAY) * _DAY_S


def epoch_ms(text: str) -> int:
    """Milliseconds since 1970 of an instant with its offset; finer parts are cut off.

    A leap second, allowed only as the last of a month in UTC, counts as the second after it, as in
    POSIX time. Instants before 1970 come from broken clocks and zero values, never from production.

    >>> epoch_ms("2016-12-31T23:59:60.5Z") == epoch_ms("2017-01-01T01:00:00.5+01:00")
    True

    Raises:
        RecordError: `invalid_time`, or `time_out_of_range` outside the years 1970 to 9999.
    """
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise _invalid("not an RFC 3339 instant such as 2025-03-01T12:00:00.000Z")
    hour, minute, second = int(match[4]), int(match[5]), int(match[6])
    if hour > 23 or minute > 59 or second > 60:
        raise _invalid("hour, minute or second is out of range")
    seconds = _days(match) * _DAY_S + hour * 3_600 + minute * 60 + second - _offset_s(match)
    if not 0 <= seconds < _END_S:
        raise rejected(Reason.TIME_OUT_OF_RANGE, "field `time` lies outside 1970 to 9999 in UTC")
    if second == 60 and not _begins_month(seconds):
        raise _invalid("second 60 exists only at the end of a month in UTC")
    fraction = match[7]
    return seconds * 1_000 + (int(fraction[:3].ljust(3, "0")) if fraction else 0)


def _days(match: re.Match[str]) -> int:
    try:
        return date(int(match[1]), int(match[2]), int(match[3])).toordinal() - _EPOCH_DAY
    except ValueError:
        raise _invalid("there is no such day") from None


def _offset_s(match: re.Match[str]) -> int:
    if match[8] is None:
        return 0
    hours, minutes = int(match[8]), int(match[9])
    if abs(hours) > 23 or minutes > 59:
        raise _invalid("the offset is out of range")
    return hours * 3_600 + (minutes * 60 if match[8][0] == "+" else -minutes * 60)


def _begins_month(seconds: int) -> bool:
    days, rest = divmod(seconds, _DAY_S)
    return rest == 0 and date.fromordinal(days + _EPOCH_DAY).day == 1


def _invalid(what: str) -> Exception:
    return rejected(Reason.INVALID_TIME, f"field `time`: {what}")
