"""What a provider says is left of its quota, in the headers of its replies.

Read are `x-ratelimit-remaining-requests|tokens` with `x-ratelimit-reset-requests|tokens`, as OpenAI
defined them and many others send them (`6m0s`, `8.64s`, `20ms` or plain seconds), and Anthropic's
`anthropic-ratelimit-requests|tokens-remaining|reset`, whose resets are dates by RFC 3339. LiteLLM
proxies pass all of them on with `llm_provider-` before the name, and without it only some.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from streaming_eval.inference.quota.messages import Remaining

_MOST = 2**40
_LONGEST_S = 86_400.0
_UNITS_S = {"h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = re.compile(r"(\d{1,12}(?:\.\d{1,12})?)(ms|h|m|s)")
_DURATION = re.compile(rf"(?:{_PART.pattern})+")
_NAMES = tuple(
    (f"{proxy}{remaining}", f"{proxy}{reset}")
    for proxy in ("", "llm_provider-")
    for remaining, reset in (
        ("x-ratelimit-remaining-{}", "x-ratelimit-reset-{}"),
        ("anthropic-ratelimit-{}-remaining", "anthropic-ratelimit-{}-reset"),
    )
)
_NUMBER = re.compile(r"\d{1,12}(?:\.\d{1,12})?")


def remaining(headers: Mapping[str, str], what: str, now: datetime) -> Remaining | None:
    """What is left, or None where the headers do not say it in a way that can be used.

    Args:
        headers: of the reply, by case-insensitive name.
        what: `requests` or `tokens`.
        now: dates are compared with it.

    >>> headers = {"x-ratelimit-remaining-requests": "59", "x-ratelimit-reset-requests": "1m2.5s"}
    >>> remaining(headers, "requests", datetime.now(UTC))
    Remaining(n=59, reset_s=62.5)
    """
    for left_name, reset_name in _NAMES:
        left = headers.get(left_name.format(what))
        reset = headers.get(reset_name.format(what))
        if left is not None and reset is not None:
            return _usable(left, reset, now)
    return None


def _usable(left: str, reset: str, now: datetime) -> Remaining | None:
    if not _NUMBER.fullmatch(left):
        return None
    reset_s = _seconds(reset, now)
    if reset_s is None or not 0 <= reset_s <= _LONGEST_S:
        return None
    return Remaining(min(_MOST, int(float(left))), reset_s)


def _seconds(text: str, now: datetime) -> float | None:
    if _NUMBER.fullmatch(text):
        return float(text)
    if len(text) <= 64 and _DURATION.fullmatch(text):
        return sum(float(number) * _UNITS_S[unit] for number, unit in _PART.findall(text))
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        return None
    return max(0.0, ((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds())
