"""Replies that answer several inputs at once, each in an item of one list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from streaming_eval.errors import PermanentError
from streaming_eval.inference.calls.joint_response import JointResponse
from streaming_eval.records import Response, Usage


def by_index(items: Sequence[object], n: int) -> list[Mapping[str, Any] | None]:
    """The item of each of the `n` inputs; None where there is not exactly one.

    Items say by `index` which input they answer; where they do not, their place says it.

    >>> by_index([{"index": 1, "text": "b"}, {"index": 0, "text": "a"}], 3)
    [{'index': 0, 'text': 'a'}, {'index': 1, 'text': 'b'}, None]
    """
    found: dict[int, list[Mapping[str, Any]]] = {}
    for position, item in enumerate(items):
        if isinstance(item, dict):
            index = item.get("index", position)
            if type(index) is int:
                found.setdefault(index, []).append(item)
    return [given[0] if len(given := found.get(i, [])) == 1 else None for i in range(n)]


def answer_of(parts: Sequence[Response], usage: Usage) -> Response:
    """The answer to one input, or the `JointResponse` to several.

    Raises:
        PermanentError: the only input has no answer.
    """
    if len(parts) > 1:
        lines = "\n".join(part.text or "null" for part in parts)
        return JointResponse(lines, usage=usage, parts=tuple(parts))
    (part,) = parts
    if part.error is not None:
        raise PermanentError(part.error, part.error_detail or "")
    return Response(part.text, finish_reason=part.finish_reason, usage=usage)
