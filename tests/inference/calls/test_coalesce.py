"""Who travels together, when they leave, and who may go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.errors import PermanentError
from streaming_eval.inference.calls.sent import noted
from streaming_eval.inference.calls.single_flight import SingleFlight
from streaming_eval.records import Message, Request, Response
from tests.inference.calls.coalescing import Embedder, Patience, asking, coalescing
from tests.inference.calls.scripted import settle
from tests.inference.requests import request


async def test_inputs_that_come_together_travel_together() -> None:
    embedder, patience = Embedder(), Patience()
    answers = asking(coalescing(embedder, patience), "a", "b", "c")
    await settle()
    assert embedder.asked == [], "they still wait for others"
    patience.over.set()
    assert [response.text for response in await asyncio.gather(*answers)] == ["A", "B", "C"]
    assert embedder.asked == [["a", "b", "c"]]


async def test_a_full_party_leaves_at_once() -> None:
    embedder, patience = Embedder(), Patience()
    answers = asking(coalescing(embedder, patience, max_inputs=2), *"abcde")
    await settle()
    assert embedder.asked == [["a", "b"], ["c", "d"]]
    assert patience.sleeping == 1, "those who have left wait for nobody"
    patience.over.set()
    await asyncio.gather(*answers)
    assert embedder.asked[2:] == [["e"]]


async def test_no_party_grows_beyond_its_characters() -> None:
    embedder, patience = Embedder(), Patience()
    asking(coalescing(embedder, patience, max_chars=10), "a" * 4, "b" * 5, "c" * 4, "d" * 99, "e")
    await settle()
    assert [[text[0] for text in party] for party in embedder.asked] == [["a", "b"], ["c"], ["d"]]
    patience.over.set()
    await settle()


async def test_an_input_that_leaves_no_room_waits_for_nobody() -> None:
    embedder = Embedder()
    complete = coalescing(embedder, Patience(), max_chars=10)
    assert (await complete(request("a" * 10))).text == "A" * 10


async def test_who_leaves_makes_room() -> None:
    embedder = Embedder()
    complete = coalescing(embedder, Patience(), max_chars=10)
    leaving, *staying = asking(complete, "a" * 6, "b" * 3)
    await settle()
    leaving.cancel()
    await settle()
    staying += asking(complete, "c" * 7)
    await asyncio.gather(*staying)
    assert embedder.asked == [["bbb", "ccccccc"]]


@pytest.mark.parametrize(
    "other",
    [
        partial(request, "b", model="other"),
        partial(request, "b", revision="2"),
        partial(request, "b", parameters={"dimensions": 2}),
        lambda: replace(request("b"), endpoint="http://elsewhere/v1"),
    ],
)
async def test_requests_that_differ_in_more_than_their_input_travel_apart(
    other: Callable[[], Request],
) -> None:
    embedder, patience = Embedder(), Patience()
    complete = coalescing(embedder, patience)
    patience.over.set()
    await asyncio.gather(complete(request("a")), complete(other()))
    assert embedder.asked == [["a"], ["b"]]


@pytest.mark.parametrize(
    "odd",
    [
        request(messages=(Message("system", "s"), Message("user", "u"))),
        request(parameters={"n": float("nan")}),
    ],
)
async def test_what_is_not_one_input_is_refused(odd: Request) -> None:
    embedder = Embedder()
    response = await coalescing(embedder, Patience())(odd)
    assert (response.error, embedder.asked) == ("invalid_request", [])


async def test_who_leaves_before_departure_is_not_sent() -> None:
    embedder, patience = Embedder(), Patience()
    answers = asking(coalescing(embedder, patience, max_inputs=3), *"abc"[:2])
    await settle()
    answers[0].cancel()
    await settle()
    patience.over.set()
    assert (await answers[1]).text == "B"
    assert embedder.asked == [["b"]]


async def test_when_all_have_left_nothing_is_sent_and_nobody_waits() -> None:
    embedder, patience = Embedder(), Patience()
    complete = coalescing(embedder, patience)
    for answer in (answers := asking(complete, *"ab")):
        await settle()
        answer.cancel()
    await asyncio.gather(*answers, return_exceptions=True)
    await settle()
    assert (embedder.asked, patience.sleeping) == ([], 0)
    patience.over.set()
    assert (await complete(request("c"))).text == "C", "a newcomer starts afresh"


@pytest.mark.parametrize("leaves", [0, 1])
async def test_who_leaves_under_way_cancels_no_other(leaves: int) -> None:
    embedder = Embedder()
    embedder.release.clear()
    answers = asking(coalescing(embedder, Patience(), max_inputs=2), *"ab")
    await settle()
    answers.pop(leaves).cancel()
    await settle()
    embedder.release.set()
    assert (await answers[0]).text == "BA"[leaves]
    assert embedder.cancelled == 0


async def test_the_http_request_is_cancelled_with_the_last_who_waits() -> None:
    embedder = Embedder()
    embedder.release.clear()
    answers = asking(coalescing(embedder, Patience(), max_inputs=2), *"ab")
    await settle()
    for answer in answers:
        answer.cancel()
    await asyncio.gather(*answers, return_exceptions=True)
    await settle()
    assert embedder.cancelled == 1


async def test_at_the_batchs_end_answers_under_way_are_waited_for_by_all_who_share_them() -> None:
    embedder, flights = Embedder(), SingleFlight()
    embedder.release.clear()
    complete, stored = coalescing(noted(embedder), Patience(), max_inputs=3), []

    async def ask(text: str) -> Response:
        response = await complete(request(text))
        stored.append(response.text)
        return response

    waiters = [asyncio.ensure_future(flights.run(t, partial(ask, t))) for t in "abc"]
    await settle()
    assert [sent.total for sent in flights.awaited()] == [1, 1, 1]
    await flights.give_up(PermanentError("batch_deadline", "late"))
    assert [response.error for response in await asyncio.gather(*waiters)] == ["batch_deadline"] * 3
    embedder.release.set()
    await flights.drain(1)
    assert sorted(map(str, stored)) == ["A", "B", "C"]


@given(
    inputs=st.lists(st.text("abc", max_size=6), min_size=1, max_size=40),
    max_inputs=st.integers(1, 7),
    max_chars=st.integers(1, 12),
    bad=st.sets(st.text("abc", max_size=2), max_size=2),
)
def test_everybody_gets_their_own_answer_whatever_the_limits(
    inputs: list[str], max_inputs: int, max_chars: int, bad: set[str]
) -> None:
    async def ask() -> tuple[Embedder, list[Response]]:
        embedder, patience = Embedder(bad=[*bad]), Patience()
        patience.over.set()
        complete = coalescing(embedder, patience, max_inputs=max_inputs, max_chars=max_chars)
        return embedder, await asyncio.gather(*asking(complete, *inputs))

    embedder, responses = asyncio.run(ask())
    expected = [None if text in bad else text.upper() for text in inputs]
    assert [response.text for response in responses] == expected
    assert sum(response.attempts for response in responses) == len(embedder.asked)
    for party in embedder.asked:
        assert len(party) <= max_inputs
        assert len(party) == 1 or sum(map(len, party)) <= max_chars
