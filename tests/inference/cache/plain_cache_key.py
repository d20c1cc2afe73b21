"""The specification in docs/cache-key.md once more, with nothing but the standard library."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_UP, Decimal, localcontext
from typing import Any


def plain_canonical(request: Mapping[str, Any]) -> str:
    """Canonical text of a request given as a JSON object without its `format`."""
    return _write({**request, "format": 1})


def plain_key(request: Mapping[str, Any]) -> str:
    return hashlib.sha256(plain_canonical(request).encode("utf-8")).hexdigest()


def _write(value: object) -> str:
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: list(_code_units(name)))
        return "{" + ",".join(f"{_write(name)}:{_write(value[name])}" for name in names) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_write, value)) + "]"
    if isinstance(value, float):
        return _ecmascript(value)
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _code_units(name: str) -> memoryview:
    units = name.encode("utf-16-le")
    return memoryview(units).cast("H")


def _rounded(value: float, places: int) -> Iterator[str]:
    """The nearest numbers with so many places; next to a power of two only one may read back."""
    exact = Decimal(value)
    unit = Decimal(1).scaleb(exact.adjusted() - places)
    for rounding in (ROUND_HALF_EVEN, ROUND_UP, ROUND_DOWN):
        with localcontext(prec=800):
            yield f"{exact.quantize(unit, rounding=rounding):.{places}e}"


def _ecmascript(value: float) -> str:
    """Shortest digits that read back as the same double, found by trying; laid out by ECMA-262."""
    if value == 0:
        return "0"
    if value < 0:
        return "-" + _ecmascript(-value)
    assert value < 2**53
    shortest = next(text for p in range(17) for text in _rounded(value, p) if float(text) == value)
    match = re.fullmatch(r"(\d)\.?(\d*)e([+-]\d+)", shortest)
    assert match is not None
    digits, n = match[1] + match[2], int(match[3]) + 1
    k = len(digits)
    if k <= n:
        return digits + "0" * (n - k)
    if n > 0:
        return digits[:n] + "." + digits[n:]
    if -6 < n <= 0:
        return "0." + "0" * -n + digits
    mantissa = digits[0] + ("." + digits[1:] if k > 1 else "")
    return f"{mantissa}e{n - 1}"
