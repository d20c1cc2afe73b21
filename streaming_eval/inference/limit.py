"""No more calls in flight than an endpoint is meant to take."""

from __future__ import annotations

import asyncio

from streaming_eval.inference.complete import Complete
from streaming_eval.records import Request, Response


def with_limit(complete: Complete, max_in_flight: int) -> Complete:
    """Let at most `max_in_flight` calls run at once; the others wait in the order they came.

    It belongs outside `with_retry`: time spent waiting here does not count against the deadline,
    and an endpoint that asks for patience gets fewer calls, since each pause keeps its place taken.
    """
    places = asyncio.Semaphore(max_in_flight)

    async def limited(request: Request) -> Response:
        async with places:
            return await complete(request)

    return limited
