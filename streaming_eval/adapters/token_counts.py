"""Token counts out of a reply, without trusting it."""

from __future__ import annotations

from collections.abc import Sequence

from streaming_eval.records import Usage

_MOST_TOKENS = 2**31


def usage_of(usage: object, input_names: Sequence[str], output_names: Sequence[str]) -> Usage:
    """The tokens of one call, where several fields count towards one direction their sum.

    >>> usage_of({"in": 7, "cached": 3, "out": None}, ("in", "cached"), ("out",))
    Usage(input_tokens=10, output_tokens=None)
    """
    if not isinstance(usage, dict):
        return Usage()
    counted = [_sum([usage.get(n) for n in names]) for names in (input_names, output_names)]
    return Usage(*counted)


def _sum(counts: Sequence[object]) -> int | None:
    """The sum of what is given; None where nothing is, or something that is no count."""
    total: int | None = None
    for count in counts:
        if count is None:
            continue
        if type(count) is not int or not 0 <= count < _MOST_TOKENS:
            return None
        total = count + (total or 0)
    return total
