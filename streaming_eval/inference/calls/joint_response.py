"""One answer to several inputs, and how it is divided among those who asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from streaming_eval.records import Request, Response, Usage


@dataclass(frozen=True, slots=True)
class JointResponse(Response):
    """The answer to a request whose messages are independent inputs.

    Attributes:
        parts: text and finish reason, or the failure, of each input in their order.
    """

    parts: tuple[Response, ...] = ()


def divided(requests: Sequence[Request], joint: Response) -> list[Response]:
    """The response to each of the requests that were asked as one.

    The first has the `attempts` of all, the others 0; tokens are divided by length. Summed over the
    responses, both are what was really used. A failure is everybody's.

    Args:
        requests: of one message each.
        joint: a failure, or the `JointResponse` to all messages.

    Raises:
        ValueError: it is neither, which is a bug in the API's code.
    """
    attempts = (joint.attempts, *(0 for _ in requests[1:]))
    if joint.error is not None:
        return [replace(joint, attempts=n) for n in attempts]
    if not isinstance(joint, JointResponse) or len(joint.parts) != len(requests):
        raise ValueError("the API does not answer each input of a request")
    inputs = _shares(joint.usage.input_tokens, [len(r.messages[0].content) for r in requests])
    outputs = _shares(joint.usage.output_tokens, [len(part.text or "") for part in joint.parts])
    return [
        replace(
            part,
            usage=Usage(input_tokens, output_tokens),
            latency_ms=joint.latency_ms,
            created_ms=joint.created_ms,
            attempts=n,
        )
        for part, input_tokens, output_tokens, n in zip(
            joint.parts, inputs, outputs, attempts, strict=True
        )
    ]


def _shares(total: int | None, weights: Sequence[int]) -> Iterator[int | None]:
    """Whole shares that sum to the total, by weight.

    >>> list(_shares(10, [1, 1, 1])), list(_shares(None, [1]))
    ([3, 3, 4], [None])
    """
    if total is None:
        yield from (None for _ in weights)
        return
    sizes = weights if any(weights) else [1] * len(weights)
    whole = sum(sizes)
    for before, after in pairwise(accumulate(sizes, initial=0)):
        yield total * after // whole - total * before // whole
