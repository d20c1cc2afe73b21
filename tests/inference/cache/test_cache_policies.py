"""The policies beyond read_write, answers that grow old, and what each look-up came to."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from streaming_eval.errors import PermanentError, RetryableError
from streaming_eval.inference.cache.cache_key import cache_key
from streaming_eval.inference.cache.freshness import Freshness
from streaming_eval.inference.cache.with_cache import CachePolicy, Found, with_cache
from streaming_eval.inference.calls.retry import with_retry
from streaming_eval.inference.complete import Complete
from streaming_eval.records import Response, Usage
from tests.inference.cache.shelf import Shelf
from tests.inference.calls.scripted import HeldSend, ManualTime, ScriptedSend, answer, settle
from tests.inference.requests import request

STORED_MS = answer().created_ms
ASKING = ("read_write", "read_only", "refresh")
SINCE = {"refresh": Freshness(since_ms=STORED_MS + 10)}
HOUR_MS = 3_600_000


def dated(created_ms: int, text: str = "fresh") -> Response:
    return replace(answer(text), created_ms=created_ms)


def failing() -> Complete:
    passing = ManualTime()
    return with_retry(
        ScriptedSend(RetryableError("http_500", "broken")),
        max_attempts=2,
        deadline_s=60,
        sleep=passing.sleep,
        random=lambda: 0.5,
        clock=passing.clock,
    )


async def test_read_only_asks_a_miss_once_a_batch_and_keeps_nothing() -> None:
    shelf, send = Shelf(request("known")), ScriptedSend(answer("fresh"))
    batch = shelf.over(send, "read_only")
    assert (await batch(request("known"))).text == "stored"
    assert [(await batch(request("new"))).cached for _ in range(2)] == [False, True]
    assert (len(send.asked), shelf.kept) == (1, [])
    await shelf.over(send, "read_only")(request("new"))
    assert len(send.asked) == 2, "the next batch asks again"


async def test_refresh_asks_what_is_stored_and_keeps_the_new_answer() -> None:
    shelf, send = Shelf(request()), ScriptedSend(dated(STORED_MS + 20))
    response = await shelf.over(send, "refresh", SINCE["refresh"])(request())
    assert (response.text, response.cached) == ("fresh", False)
    assert [paid.response.text for paid in shelf.kept] == ["fresh"]


async def test_refresh_asks_each_question_once_from_its_instant_on() -> None:
    shelf, send = Shelf(request("a")), ScriptedSend(dated(STORED_MS + 20))
    for _ in range(3):
        batch = shelf.over(send, "refresh", SINCE["refresh"])
        for question in "abab":
            assert (await batch(request(question))).text == "fresh"
        shelf.take_over()
    assert len(send.asked) == 2
    await shelf.over(send, "refresh", Freshness(since_ms=STORED_MS + 21))(request("a"))
    assert len(send.asked) == 3, "a later instant asks anew"


async def test_a_worker_whose_clock_is_slow_refreshes_once_all_the_same() -> None:
    shelf, send = Shelf(request()), ScriptedSend(dated(STORED_MS - HOUR_MS))
    for _ in range(2):
        await shelf.over(send, "refresh", SINCE["refresh"])(request())
        shelf.take_over()
    assert len(send.asked) == 1
    assert shelf.kept[0].response.created_ms > STORED_MS, "it replaces the stored answer"


def test_refresh_without_an_instant_is_refused() -> None:
    with pytest.raises(ValueError, match="needs the instant"):
        Shelf().over(ScriptedSend(answer()), "refresh")


@pytest.mark.parametrize(("age_ms", "asked"), [(HOUR_MS, 0), (HOUR_MS + 1, 1)])
async def test_an_answer_beyond_its_greatest_age_is_asked_for_again(
    age_ms: int, asked: int
) -> None:
    shelf = Shelf(request(), now_ms=STORED_MS + age_ms)
    send = ScriptedSend(dated(shelf.now_ms))
    response = await shelf.over(send, freshness=Freshness(max_age_ms=HOUR_MS))(request())
    assert len(send.asked) == len(shelf.kept) == asked
    assert response.text == ("fresh" if asked else "stored")


async def test_once_replaced_an_answer_is_fresh_again() -> None:
    shelf = Shelf(request(), now_ms=STORED_MS + 2 * HOUR_MS)
    send = ScriptedSend(dated(shelf.now_ms))
    for _ in range(3):
        batch = shelf.over(send, freshness=Freshness(max_age_ms=HOUR_MS))
        assert [(await batch(request())).text for _ in range(2)] == ["fresh"] * 2
        shelf.take_over()
    assert len(send.asked) == 1


@pytest.mark.parametrize(
    ("serve_stale", "text", "error"), [(False, None, "http_500"), (True, "stored", None)]
)
async def test_a_stale_answer_stands_in_for_a_failed_call_only_where_that_was_asked_for(
    serve_stale: bool, text: str | None, error: str | None
) -> None:
    shelf = Shelf(request(), now_ms=STORED_MS + 2 * HOUR_MS)
    freshness = Freshness(max_age_ms=HOUR_MS, serve_stale=serve_stale)
    batch = shelf.over(failing(), freshness=freshness)
    for _ in range(2):
        response = await batch(request())
        assert (response.text, response.error) == (text, error)
        assert response.cached or not serve_stale
    assert shelf.kept == []
    assert (await batch(request("unknown"))).error == "http_500"


async def test_replay_takes_answers_of_any_age() -> None:
    shelf = Shelf(request(), now_ms=STORED_MS + 2 * HOUR_MS)
    freshness = Freshness(max_age_ms=HOUR_MS, since_ms=STORED_MS + 1)
    batch = shelf.over(ScriptedSend(answer()), "replay", freshness)
    assert (await batch(request())).text == "stored"


@pytest.mark.parametrize("policy", ["read_write", "refresh"])
async def test_an_answer_that_was_cut_off_is_kept_with_its_finish_reason(policy: str) -> None:
    cut = replace(dated(STORED_MS + 20), finish_reason="length")
    shelf = Shelf()
    await shelf.over(ScriptedSend(cut), policy, SINCE.get(policy))(request())
    assert [paid.response for paid in shelf.kept] == [cut]


@pytest.mark.parametrize("policy", ASKING)
async def test_errors_are_never_kept(policy: str) -> None:
    shelf = Shelf(request())
    batch = shelf.over(failing(), policy, SINCE.get(policy))
    responses = [await batch(request(question)) for question in ("Why?", "new", "new")]
    assert {response.error for response in responses} == (
        {"http_500"} if policy == "refresh" else {"http_500", None}
    )
    assert shelf.kept == []


@pytest.mark.parametrize("policy", ASKING)
async def test_equal_questions_at_once_are_one_call_under_every_policy_that_asks(
    policy: str,
) -> None:
    shelf, send = Shelf(), HeldSend()
    batch = shelf.over(send, policy, SINCE.get(policy))
    tasks = [asyncio.ensure_future(batch(request())) for _ in range(3)]
    await settle()
    send.release.set()
    responses = await asyncio.gather(*tasks)
    assert send.begun == 1
    assert [response.cached for response in responses] == [False, True, True]
    assert sorted(shelf.found) == [Found.MISS, Found.SHARED, Found.SHARED]


async def test_a_hit_tells_what_it_saved() -> None:
    stored = replace(answer("stored"), latency_ms=812.5, usage=Usage(900, 40))
    shelf = Shelf()
    shelf.responses[cache_key(request())] = stored
    await shelf.over(ScriptedSend(answer()))(request())
    assert shelf.observed == [(request(), Found.HIT, replace(stored, cached=True))]


async def test_every_look_up_is_told_apart() -> None:
    shelf = Shelf(request("old"), now_ms=STORED_MS + 2 * HOUR_MS)
    young = replace(answer("young"), created_ms=shelf.now_ms)
    shelf.responses[cache_key(request("young"))] = young
    batch = shelf.over(ScriptedSend(dated(shelf.now_ms)), freshness=Freshness(HOUR_MS))
    for question in ("young", "old", "old", "new", "new"):
        await batch(request(question))
    assert shelf.found == [Found.HIT, Found.STALE, Found.HIT, Found.MISS, Found.HIT]


async def test_a_failure_is_a_miss_for_all_who_share_it() -> None:
    shelf = Shelf()
    batch = shelf.over(failing())
    await asyncio.gather(batch(request()), batch(request()))
    await batch(request())
    assert shelf.found == [Found.MISS] * 3


async def test_replay_tells_hits_from_misses_and_off_looks_nothing_up() -> None:
    shelf = Shelf(request("known"))
    replay = shelf.over(ScriptedSend(answer()), "replay")
    off = shelf.over(ScriptedSend(answer()), "off")
    for question in ("known", "unknown"):
        await replay(request(question))
        await off(request(question))
    assert shelf.found == [Found.HIT, Found.MISS]


async def test_a_request_without_a_key_is_no_look_up() -> None:
    shelf = Shelf()
    for policy in ("read_write", "replay"):
        response = await shelf.over(ScriptedSend(answer()), policy)(
            request(parameters={"temperature": float("inf")})
        )
        assert response.error == "invalid_request"
    assert shelf.observed == []


async def test_the_wall_clock_decides_on_age_where_none_is_given() -> None:
    """An answer from 2023 is older than a day."""
    send = ScriptedSend(PermanentError("http_400", "no"))
    batch = with_cache(
        with_retry(
            send,
            max_attempts=1,
            deadline_s=60,
            sleep=asyncio.sleep,
            random=lambda: 0.5,
            clock=lambda: 0.0,
        ),
        lookup=lambda _: answer("stored"),
        store=lambda _: None,
        policy=CachePolicy.READ_WRITE,
        freshness=Freshness(max_age_ms=24 * HOUR_MS),
    )
    assert (await batch(request())).error == "http_400"
