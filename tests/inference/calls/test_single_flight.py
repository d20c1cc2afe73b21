"""Who shares a call, what a cancelled waiter does to the others, and what calls outlive a batch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from streaming_eval.errors import PermanentError
from streaming_eval.inference.calls.sent import noted
from streaming_eval.inference.calls.single_flight import SingleFlight, with_flights
from streaming_eval.inference.complete import failed
from streaming_eval.records import Response
from tests.inference.calls.scripted import HeldSend, answer, settle
from tests.inference.requests import request


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


GIVEN_UP = PermanentError("batch_deadline", "time is up")


def sending(held: HeldSend) -> Callable[[], Coroutine[Any, Any, Response]]:
    """A call that notes its one HTTP request, as the stack does."""

    async def call() -> Response:
        return await noted(held)(request())

    return call


async def test_who_is_sent_away_gets_the_error_and_calls_that_sent_nothing_are_cancelled() -> None:
    flights, held = SingleFlight(), HeldSend()

    async def in_line() -> Response:
        return await held(request())

    waiters = [asyncio.ensure_future(flights.run("k", in_line)) for _ in range(3)]
    await settle()
    await flights.give_up(GIVEN_UP)
    assert [(r.error, r.attempts) for r in await asyncio.gather(*waiters)] == [
        ("batch_deadline", 0)
    ] * 3
    assert (held.cancelled, flights.lingering, "k" in flights) == (1, 0, False)


async def test_a_call_under_way_goes_on_without_its_waiters_and_shares_its_answer() -> None:
    flights, held = SingleFlight(), HeldSend(answer("late"))
    kept: list[Response] = []

    async def call() -> Response:
        kept.append(await sending(held)())
        return kept[-1]

    waiter = asyncio.ensure_future(flights.run("k", call))
    await settle()
    await flights.give_up(GIVEN_UP)
    assert ((await waiter).error, (await waiter).attempts) == ("batch_deadline", 1)
    assert (flights.lingering, kept) == (1, [])
    flights.resume()
    late = asyncio.ensure_future(flights.run("k", call))
    await settle()
    held.release.set()
    assert (await late).text == "late"
    assert (held.begun, held.cancelled, len(kept), flights.lingering) == (1, 0, 1, 0)


async def test_a_call_that_lingers_sends_nothing_more() -> None:
    flights, first, second = SingleFlight(), HeldSend(), HeldSend()
    errors: list[str] = []

    async def call() -> Response:
        await sending(first)()
        try:
            return await sending(second)()
        except PermanentError as error:
            errors.append(error.reason)
            return failed(error)

    waiter = asyncio.ensure_future(flights.run("k", call))
    await settle()
    await flights.give_up(GIVEN_UP)
    first.release.set()
    await flights.drain(1)
    assert (first.begun, second.begun, errors) == (1, 0, ["batch_deadline"])
    assert (await waiter).error == "batch_deadline"


async def test_nothing_begins_between_giving_up_and_resuming() -> None:
    flights, held = SingleFlight(), HeldSend()
    await flights.give_up(GIVEN_UP)
    assert (await flights.run("k", sending(held))).error == "batch_deadline"
    flights.resume()
    held.release.set()
    assert (await flights.run("k", sending(held))).text == "Because."
    assert held.begun == flights.begun == 1


async def test_a_call_taken_over_from_an_earlier_batch_counts_as_this_one_s() -> None:
    flights, held = SingleFlight(), HeldSend()
    first = asyncio.ensure_future(flights.run("k", sending(held)))
    await settle()
    await flights.give_up(GIVEN_UP)
    flights.resume()
    assert flights.begun == 0
    again = [asyncio.ensure_future(flights.run("k", sending(held))) for _ in range(2)]
    await settle()
    assert (held.begun, flights.begun) == (1, 1)
    held.release.set()
    await asyncio.gather(first, *again)


async def test_draining_waits_and_then_cancels_what_still_lingers() -> None:
    flights, quick, stuck = SingleFlight(), HeldSend(), HeldSend()
    waiters = [
        asyncio.ensure_future(flights.run(key, sending(held)))
        for key, held in (("quick", quick), ("stuck", stuck))
    ]
    await settle()
    await flights.give_up(GIVEN_UP)
    asyncio.get_running_loop().call_later(0.01, quick.release.set)
    await flights.drain(0.05)
    assert (quick.cancelled, stuck.cancelled, flights.lingering) == (0, 1, 0)
    await asyncio.gather(*waiters)


async def test_a_failure_that_nobody_waits_for_any_more_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    flights, held = SingleFlight(), HeldSend(OSError("disk full"))
    waiter = asyncio.ensure_future(flights.run("k", sending(held)))
    await settle()
    await flights.give_up(GIVEN_UP)
    held.release.set()
    await flights.drain(1)
    await settle()
    assert (await waiter).error == "batch_deadline"
    assert "disk full" in caplog.text


async def test_without_a_cache_equal_requests_are_flights_of_their_own() -> None:
    flights, held = SingleFlight(), HeldSend()
    complete, same = with_flights(held, flights), request()
    waiters = [asyncio.ensure_future(complete(same)) for _ in range(3)]
    await settle()
    assert (held.begun, flights.begun) == (3, 3)
    await flights.give_up(GIVEN_UP)
    assert [(await waiter).error for waiter in waiters] == ["batch_deadline"] * 3
