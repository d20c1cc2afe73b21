"""The content address of a request; `docs/cache-key.md` is its specification.

Canonical form: RFC 8785 (Rundgren, Jordan, Erdtman, 2020, "JSON Canonicalization Scheme"), so that
any program with an RFC 8785 library can compute our keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from hashlib import sha256

import orjson

from streaming_eval.errors import PermanentError
from streaming_eval.records import Request

FORMAT = 1
"""Raised whenever the meaning of a key changes, so that old answers are no longer found."""

_TOO_LARGE = 2**53
_SMALLEST_PLAIN = 1e-4
_MOST_LEADING_ZEROS = 6


def cache_key(request: Request) -> str:
    """SHA-256 of `canonical(request)`, as 64 lower-case hexadecimal digits.

    Raises:
        PermanentError: as `canonical` does.
    """
    return addressed(request)[0]


def addressed(request: Request) -> tuple[str, bytes]:
    """The cache key and the canonical text, which the request keeps from the first time on.

    Raises:
        PermanentError: as `canonical` does.
    """
    known: tuple[str, bytes] | None = getattr(request, "address", None)
    if known is None:
        text = canonical(request)
        known = key_of(text), text
        object.__setattr__(request, "address", known)  # it is frozen, but this is no part of it
    return known


def key_of(text: bytes) -> str:
    """The cache key of a canonical text."""
    return sha256(text).hexdigest()


def canonical(request: Request) -> bytes:
    """The one UTF-8 JSON text of a request: equal requests give equal bytes, others never do.

    Raises:
        PermanentError: reason `invalid_request`; a value has no exact JSON form (NaN, a number of
            2**53 or more, a lone surrogate, a set).
    """
    document = {  # already in RFC 8785's order of names
        "api": request.api,
        "endpoint": request.endpoint,
        "format": FORMAT,
        "messages": [{"content": m.content, "role": m.role} for m in request.messages],
        "model": request.model,
        "parameters": _ordered(request.parameters),
        "revision": request.revision,
        "sample_index": request.sample_index,
    }
    try:
        return orjson.dumps(document, option=orjson.OPT_STRICT_INTEGER)
    except TypeError as error:
        raise PermanentError("invalid_request", f"the request has no JSON form: {error}") from None


def _canonical_value(value: object) -> object:
    """The value in a form that orjson writes as RFC 8785 wants it."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, Mapping):
        return _ordered(value)
    if isinstance(value, list | tuple):
        return [_canonical_value(item) for item in value]
    raise PermanentError("invalid_request", f"{type(value).__name__} is not a JSON type")


def _ordered(members: Mapping[str, object]) -> dict[str, object]:
    """Members by name, names compared as UTF-16 code units (RFC 8785, section 3.2.3)."""
    try:
        names = sorted(members, key=_utf_16) if len(members) > 1 else members
    except (AttributeError, UnicodeEncodeError):
        raise PermanentError("invalid_request", "a name in an object is not a text") from None
    return {name: _canonical_value(members[name]) for name in names}


def _utf_16(name: str) -> bytes:
    return name.encode("utf-16-be")


def _number(value: float) -> object:
    """A double as ECMAScript prints it (RFC 8785, section 3.2.2.3); -0.0 and 1.0 are 0 and 1.

    >>> orjson.dumps([_number(x) for x in (1.0, -0.0, 0.7, 1e-06, 1.5e-07)])
    b'[1,0,0.7,0.000001,1.5e-7]'
    """
    if not abs(value) < _TOO_LARGE:  # NaN is not below anything
        raise PermanentError("invalid_request", f"{value} is not below 2**53 in magnitude")
    if value.is_integer():
        return int(value)
    return value if abs(value) >= _SMALLEST_PLAIN else orjson.Fragment(_small(value))


def _small(value: float) -> str:
    """`Number::toString` of ECMA-262, section 6.1.6.1, for 0 < |value| < 0.0001."""
    sign, figures, exponent = Decimal(repr(value)).as_tuple()
    digits, minus = "".join(map(str, figures)), "-" if sign else ""
    zeros = -len(digits) - int(exponent)
    if zeros < _MOST_LEADING_ZEROS:
        return f"{minus}0.{'0' * zeros}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{minus}{digits[0]}{fraction}e-{zeros + 1}"
