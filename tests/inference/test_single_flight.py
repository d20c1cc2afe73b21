"""Who shares a call, and what a cancelled waiter does to the others: nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from streaming_eval.inference.single_flight import SingleFlight
from streaming_eval.records import Response
from tests.inference.requests import request
from tests.inference.scripted import HeldSend, answer, settle


class Crowd:
    """Callers of one key."""

    def __init__(self, send: HeldSend) -> None:
        self.flights, self._send = SingleFlight(), send

    def join(self, key: str = "k") -> asyncio.Task[Response]:
        return asyncio.create_task(self.flights.run(key, self._start))

    def _start(self) -> Coroutine[Any, Any, Response]:
        return self._send(request())


async def test_equal_keys_share_one_call() -> None:
    send = HeldSend(answer())
    crowd = Crowd(send)
    waiters = [crowd.join() for _ in range(5)]
    await settle()
    send.release.set()
    first, *others = await asyncio.gather(*waiters)
    assert all(other is first for other in others)
    assert send.begun == 1


async def test_different_keys_do_not() -> None:
    send = HeldSend()
    crowd = Crowd(send)
    waiters = [crowd.join(key) for key in "abc"]
    send.release.set()
    await asyncio.gather(*waiters)
    assert send.begun == 3


async def test_a_call_that_has_ended_is_not_shared() -> None:
    send = HeldSend()
    crowd = Crowd(send)
    send.release.set()
    await crowd.join()
    assert "k" not in crowd.flights
    await crowd.join()
    assert send.begun == 2


@pytest.mark.parametrize("leaves", [0, 1, 2])
async def test_a_cancelled_waiter_cancels_no_other(leaves: int) -> None:
    send = HeldSend()
    crowd = Crowd(send)
    waiters = [crowd.join() for _ in range(3)]
    await settle()
    waiters.pop(leaves).cancel()
    await settle()
    send.release.set()
    assert [response.text for response in await asyncio.gather(*waiters)] == ["Because."] * 2
    assert (send.begun, send.cancelled) == (1, 0)


async def test_the_call_is_cancelled_with_its_last_waiter_and_a_newcomer_starts_afresh() -> None:
    send = HeldSend()
    crowd = Crowd(send)
    waiters = [crowd.join() for _ in range(2)]
    await settle()
    for waiter in waiters:
        waiter.cancel()
    await asyncio.gather(*waiters, return_exceptions=True)
    late = crowd.join()
    await settle()
    send.release.set()
    assert (await late).text == "Because."
    assert (send.begun, send.cancelled) == (2, 1)


async def test_an_exception_reaches_every_waiter() -> None:
    send = HeldSend(OSError("disk full"))
    crowd = Crowd(send)
    waiters = [crowd.join() for _ in range(3)]
    await settle()
    send.release.set()
    errors = await asyncio.gather(*waiters, return_exceptions=True)
    assert [str(error) for error in errors] == ["disk full"] * 3
    assert "k" not in crowd.flights
