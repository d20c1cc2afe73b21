"""What is asked, what is answered from the cache, and what is kept."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from streaming_eval.errors import PermanentError, RetryableError, StorageError
from streaming_eval.inference.cache.cache_key import cache_key, canonical
from streaming_eval.inference.cache.paid_answer import PaidAnswer
from streaming_eval.inference.cache.with_cache import CachePolicy, with_cache
from streaming_eval.inference.calls.retry import with_retry
from streaming_eval.inference.complete import Complete, failed
from tests.inference.cache.shelf import Shelf
from tests.inference.calls.scripted import HeldSend, ManualTime, ScriptedSend, answer, settle
from tests.inference.requests import request

PERMANENT = PermanentError("http_400", "no")


def failing(error: PermanentError | RetryableError) -> tuple[ScriptedSend, Complete]:
    send, passing = ScriptedSend(error), ManualTime()
    return send, with_retry(
        send,
        max_attempts=3,
        deadline_s=60,
        sleep=passing.sleep,
        random=lambda: 0.5,
        clock=passing.clock,
    )


@pytest.mark.parametrize("policy", ["read_write", "replay"])
async def test_a_hit_is_answered_without_a_call(policy: str) -> None:
    shelf, send = Shelf(request()), ScriptedSend(answer("fresh"))
    response = await shelf.over(send, policy)(request())
    assert response == replace(answer("stored"), cached=True)
    assert (send.asked, shelf.kept) == ([], [])


async def test_a_miss_is_asked_and_kept_before_anyone_sees_it() -> None:
    shelf, send = Shelf(), ScriptedSend(answer("fresh"))
    response = await shelf.over(send)(request())
    assert response == answer("fresh")
    assert shelf.kept == [PaidAnswer(cache_key(request()), canonical(request()).decode(), response)]


async def test_in_replay_a_miss_is_an_error() -> None:
    shelf, send = Shelf(), ScriptedSend(answer())
    response = await shelf.over(send, "replay")(request())
    assert (response.text, response.error, response.attempts) == (None, "cache_miss", 0)
    assert send.asked == []


async def test_off_neither_looks_up_nor_shares_nor_keeps() -> None:
    shelf, send = Shelf(request()), ScriptedSend(answer("fresh"))
    complete = shelf.over(send, "off")
    responses = await asyncio.gather(*(complete(request()) for _ in range(3)))
    assert [response.cached for response in responses] == [False] * 3
    assert (len(send.asked), shelf.looked_up, shelf.kept) == (3, [], [])


async def test_equal_requests_at_once_make_one_call_and_one_entry() -> None:
    shelf, send = Shelf(), HeldSend()
    complete = shelf.over(send)
    tasks = [asyncio.ensure_future(complete(request())) for _ in range(4)]
    await settle()
    send.release.set()
    responses = await asyncio.gather(*tasks)
    assert [response.cached for response in responses] == [False, True, True, True]
    assert {response.text for response in responses} == {"Because."}
    assert (send.begun, len(shelf.kept), len(shelf.looked_up)) == (1, 1, 1)


async def test_an_answer_just_paid_for_is_a_hit_without_another_lookup() -> None:
    shelf, send = Shelf(), ScriptedSend(answer("fresh"))
    complete = shelf.over(send)
    await complete(request())
    assert (await complete(request())).cached
    assert (len(send.asked), len(shelf.kept), len(shelf.looked_up)) == (1, 1, 1)


async def test_requests_made_are_the_attempts_of_the_uncached_responses() -> None:
    shelf = Shelf()
    send, complete = failing(RetryableError("http_500", "broken"))
    cached = shelf.over(complete)
    responses = await asyncio.gather(*(cached(request(str(n % 3))) for n in range(12)))
    assert sum(each.attempts for each in responses if not each.cached) == len(send.asked) == 9


@pytest.mark.parametrize("error", [PERMANENT, RetryableError("timeout", "late")])
async def test_a_failure_is_shared_within_the_batch_but_never_kept(
    error: PermanentError | RetryableError,
) -> None:
    shelf = Shelf()
    send, complete = failing(error)
    batch = shelf.over(complete)
    assert (await batch(request())).error == error.reason
    calls = len(send.asked)
    assert (await batch(request())).error == error.reason
    assert (len(send.asked), shelf.kept) == (calls, [])
    await shelf.over(complete)(request())
    assert len(send.asked) == 2 * calls, "the next batch asks again"


async def test_an_answer_that_cannot_be_kept_ends_the_batch() -> None:
    def full(_: PaidAnswer) -> None:
        raise StorageError("disk full")

    complete = with_cache(
        ScriptedSend(answer()),
        lookup=lambda _: None,
        store=full,
        policy=CachePolicy.READ_WRITE,
    )
    outcomes = await asyncio.gather(
        *(complete(request()) for _ in range(2)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [StorageError] * 2


@pytest.mark.parametrize("policy", ["read_write", "replay"])
async def test_a_request_without_a_key_fails_alone_and_is_not_sent(policy: str) -> None:
    shelf, send = Shelf(), ScriptedSend(answer())
    response = await shelf.over(send, policy)(request(parameters={"temperature": float("nan")}))
    assert response.error == "invalid_request"
    assert (send.asked, shelf.looked_up) == ([], [])


async def test_one_cache_entry_never_answers_another_question() -> None:
    shelf, send = Shelf(request("Why?")), ScriptedSend(answer("fresh"))
    complete = shelf.over(send)
    for other in (request("Why? "), request(model="llama-2-13b"), request(revision="2")):
        assert (await complete(other)).text == "fresh"


def test_a_failed_response_has_a_reason_and_no_text() -> None:
    response = failed(PERMANENT, attempts=2)
    assert (response.text, response.error, response.error_detail) == (None, "http_400", "no")
    assert response.attempts == 2
