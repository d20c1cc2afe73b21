"""Policies over real connections."""

from __future__ import annotations

import asyncio
import random
import time

from streaming_eval.inference.calls.adaptive_limit import AdaptiveLimit, InFlightLimits
from streaming_eval.inference.calls.retry import with_retry
from tests.adapters.calling import Connect, connect
from tests.adapters.loopback import GOOD, Received, http, serving

__all__ = ["connect"]  # a fixture


async def test_through_the_stack_a_server_that_drops_connections_answers_in_the_end(
    connect: Connect,
) -> None:
    async def moody(received: Received, writer: asyncio.StreamWriter) -> None:
        if len(server.received) % 3:
            writer.close()
        else:
            writer.write(http(GOOD))

    async with serving(moody) as server:
        complete = with_retry(
            connect(server).send,
            max_attempts=20,
            deadline_s=60,
            sleep=lambda _: asyncio.sleep(0),
            random=random.Random(1).random,
            clock=time.monotonic,
        )
        responses = [await complete(server.request(str(n))) for n in range(20)]
    assert [response.text for response in responses] == ["Because."] * 20
    assert sum(response.attempts for response in responses) == len(server.received)


async def test_stuck_calls_hold_up_nobody_else(connect: Connect) -> None:
    async def answer(received: Received, writer: asyncio.StreamWriter) -> None:
        if b"stuck" in received.body:
            await asyncio.sleep(60)
        writer.write(http(GOOD))

    async with serving(answer) as server:
        complete = AdaptiveLimit(InFlightLimits.fixed(16)).limited(
            with_retry(
                connect(server).send,
                max_attempts=5,
                deadline_s=1.0,
                sleep=asyncio.sleep,
                random=lambda: 0.5,
                clock=time.monotonic,
            )
        )
        started = time.monotonic()
        stuck = asyncio.gather(*(complete(server.request(f"stuck {n}")) for n in range(4)))
        await asyncio.gather(*(complete(server.request(f"{n}")) for n in range(200)))
        assert time.monotonic() - started < 0.9, "the others did not wait for the stuck ones"
        responses = await stuck
        assert 1.0 <= time.monotonic() - started < 1.5
    assert [response.error for response in responses] == ["deadline"] * 4
