"""How many calls are under way at once."""

from __future__ import annotations

import asyncio

import pytest

from streaming_eval.inference.calls.adaptive_limit import AdaptiveLimit, InFlightLimits
from streaming_eval.inference.complete import Complete, Send
from streaming_eval.records import Request, Response
from tests.inference.calls.scripted import HeldSend, answer, settle
from tests.inference.requests import request


@pytest.mark.parametrize("max_in_flight", [1, 3, 64])
async def test_the_limit_is_reached_and_never_exceeded(max_in_flight: int) -> None:
    send = HeldSend()
    complete = _limited(send, max_in_flight)
    tasks = [asyncio.ensure_future(complete(request())) for _ in range(100)]
    await settle()
    assert send.under_way == max_in_flight
    send.release.set()
    await asyncio.gather(*tasks)
    assert (send.begun, send.most_under_way) == (100, max_in_flight)


async def test_a_failed_or_cancelled_call_gives_its_place_back() -> None:
    send = HeldSend(OSError("broken"))
    complete = _limited(send, 1)
    cancelled = asyncio.ensure_future(complete(request()))
    await settle()
    cancelled.cancel()
    send.release.set()
    for _ in range(3):
        with pytest.raises(OSError, match="broken"):
            await asyncio.wait_for(complete(request()), 1)


async def test_who_comes_first_goes_first() -> None:
    order: list[str] = []

    async def note(asked: Request) -> Response:
        order.append(asked.model)
        await asyncio.sleep(0)
        return answer()

    complete = _limited(note, 2)
    models = [f"model-{n}" for n in range(20)]
    await asyncio.gather(*(complete(request(model=model)) for model in models))
    assert order == models


def _limited(send: Send, max_in_flight: int) -> Complete:
    return AdaptiveLimit(InFlightLimits.fixed(max_in_flight)).limited(send)
