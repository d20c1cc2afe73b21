"""The `Retry-After` header (RFC 9110, section 10.2.3), as servers really send it.

LiteLLM proxies pass on what the provider behind them said as `llm_provider-retry-after`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_OWN, _BEHIND_A_PROXY = "Retry-After", "llm_provider-retry-after"


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait as the server wishes, at least 0; None where it said nothing usable.

    A date is compared with the reply's own `Date`, so that it does not matter whose clock is wrong.

    Args:
        headers: of the reply, by case-insensitive name.
        now: stands in for a missing `Date`.

    >>> retry_after_s({"Retry-After": "7"}, datetime.now(UTC))
    7.0
    >>> retry_after_s({"Retry-After": "soon"}, datetime.now(UTC)) is None
    True
    """
    wish = headers.get(_OWN, headers.get(_BEHIND_A_PROXY))
    if wish is None:
        return None
    try:
        seconds = float(wish)
    except ValueError:
        until = _date(wish)
        if until is None:
            return None
        seconds = (until - (_date(headers.get("Date", "")) or now)).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
