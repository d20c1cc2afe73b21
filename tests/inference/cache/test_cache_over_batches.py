"""A call that outlasts its batch is joined by a later one that asks the same."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from streaming_eval.errors import PermanentError
from streaming_eval.inference.cache.cache_key import cache_key
from streaming_eval.inference.cache.with_cache import Found
from streaming_eval.inference.calls.sent import noted
from streaming_eval.inference.calls.single_flight import SingleFlight
from streaming_eval.inference.complete import Complete
from streaming_eval.records import Response
from tests.inference.cache.shelf import Shelf
from tests.inference.calls.scripted import HeldSend, answer, settle
from tests.inference.requests import request

OVER, NOT_BEGUN = PermanentError("batch_deadline", ""), PermanentError("not_begun", "")
REFUSED = Response(None, error="http_400", attempts=1)


class Process:
    """Batches of one process, each with a cache of its own over the same flights."""

    def __init__(self, outcome: Response) -> None:
        self.flights, self.send = SingleFlight(), HeldSend(outcome)

    def batch(self, shelf: Shelf) -> Complete:
        self.flights.resume()
        return shelf.over(noted(self.send), flights=self.flights)

    async def left_behind(self, shelf: Shelf) -> Response:
        """A batch that ends while its only call is under way; what its caller gets."""
        asked = asyncio.ensure_future(self.batch(shelf)(request()))
        await settle()
        await self.flights.give_up(OVER, NOT_BEGUN)
        return await asked


async def test_a_later_batch_joins_the_call_and_does_not_ask_again() -> None:
    process, first, second = Process(answer("late")), Shelf(), Shelf()
    assert (await process.left_behind(first)).error == "batch_deadline"
    complete = process.batch(second)
    joined = asyncio.ensure_future(complete(request()))
    await settle()
    assert not joined.done()
    process.send.release.set()
    assert await joined == replace(answer("late"), cached=True)
    assert await complete(request()) == replace(answer("late"), cached=True)
    assert process.send.begun == 1
    assert second.found == [Found.SHARED, Found.HIT]
    assert second.looked_up == []


async def test_the_answer_is_kept_once_by_the_batch_that_began_the_call() -> None:
    process, first, second = Process(answer("late")), Shelf(), Shelf()
    await process.left_behind(first)
    joined = asyncio.ensure_future(process.batch(second)(request()))
    await settle()
    assert first.kept == []
    process.send.release.set()
    await joined
    assert [paid.response.text for paid in first.kept] == ["late"]
    assert second.kept == []


async def test_a_failure_that_was_joined_is_not_asked_for_again_in_the_batch() -> None:
    process, second = Process(REFUSED), Shelf()
    await process.left_behind(Shelf())
    complete = process.batch(second)
    joined = asyncio.ensure_future(complete(request()))
    await settle()
    process.send.release.set()
    assert (await joined).error == "http_400"
    assert (await complete(request())).error == "http_400"
    assert process.send.begun == 1
    assert second.found == [Found.MISS, Found.MISS]
    await process.batch(Shelf())(request())
    assert process.send.begun == 2, "a batch of its own asks for itself"


@pytest.mark.parametrize("kept", [True, False])
async def test_an_answer_that_came_between_two_batches_is_looked_up(kept: bool) -> None:
    process, first = Process(answer("late")), Shelf()
    await process.left_behind(first)
    process.send.release.set()
    await settle()
    assert cache_key(request()) not in process.flights
    second = Shelf()
    second.responses = {paid.cache_key: paid.response for paid in first.kept if kept}
    assert (await process.batch(second)(request())).text == "late"
    assert second.found == [Found.HIT if kept else Found.MISS]
    assert process.send.begun == (1 if kept else 2)


async def test_what_was_given_up_counts_for_its_batch_only() -> None:
    process, second = Process(answer()), Shelf()
    complete = process.batch(Shelf())
    await process.flights.give_up(OVER, NOT_BEGUN)
    assert (await complete(request())).error == "not_begun"
    assert process.send.begun == 0
    process.send.release.set()
    assert (await process.batch(second)(request())).error is None
