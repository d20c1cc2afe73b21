from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from streaming_eval.adapters.call_tally import TALLY, CallTally
from streaming_eval.errors import InferenceError, PermanentError, RetryableError
from streaming_eval.inference.cache.with_cache import CachePolicy, Found, with_cache
from streaming_eval.inference.calls.retry import with_retry
from streaming_eval.inference.complete import Complete
from streaming_eval.records import Response, Usage
from tests.inference.calls.scripted import HeldSend, ManualTime, ScriptedSend, answer, settle
from tests.inference.requests import request

COUNTED = Response("Because.", usage=Usage(9, 3))
BUSY, DOWN = RetryableError("http_429", ""), RetryableError("http_500", "")
REFUSED = PermanentError("http_400", "")


def counts(tally: CallTally) -> dict[tuple[str, str, str], int]:
    rows = tally.table().to_pylist()
    counted = {(r["metric"], r["endpoint"], r["label"]): r["n"] for r in rows}
    assert len(counted) == len(rows)
    return counted


def calls_and_tokens(tally: CallTally) -> dict[tuple[str, str, str], int]:
    return {key: n for key, n in counts(tally).items() if key[0] in ("requests", "tokens")}


def retrying(tally: CallTally, *outcomes: Response | InferenceError) -> Complete:
    """The stack around a scripted endpoint, as a worker builds it, three attempts a call."""
    time = ManualTime()
    complete = with_retry(
        tally.counted_send(ScriptedSend(*outcomes), "models"),
        max_attempts=3,
        deadline_s=600,
        sleep=time.sleep,
        random=lambda: 0.5,
        clock=time.clock,
    )
    return tally.settled(
        with_cache(
            complete,
            lookup=lambda _: None,
            store=lambda _: None,
            policy=CachePolicy.READ_WRITE,
            observe=tally.observer("models"),
        )
    )


def test_counts_add_up_by_metric_endpoint_and_label() -> None:
    tally = CallTally()
    tally.add("requests", "models", "ok")
    tally.add("requests", "models", "ok", 4)
    tally.add("requests", "judges", "ok")
    tally.add("tokens", "models", "ok")
    assert counts(tally) == {
        ("requests", "models", "ok"): 5,
        ("requests", "judges", "ok"): 1,
        ("tokens", "models", "ok"): 1,
    }
    assert tally.table().schema == TALLY


def test_a_task_that_called_nobody_has_an_empty_table() -> None:
    assert CallTally().table().equals(TALLY.empty_table())


async def test_a_request_is_counted_with_its_tokens() -> None:
    tally = CallTally()
    response = await tally.counted_send(ScriptedSend(COUNTED), "models")(request())
    assert response == COUNTED
    assert calls_and_tokens(tally) == {
        ("requests", "models", "ok"): 1,
        ("tokens", "models", "input"): 9,
        ("tokens", "models", "output"): 3,
    }


async def test_an_endpoint_that_does_not_count_tokens_spends_none() -> None:
    tally = CallTally()
    await tally.counted_send(ScriptedSend(answer()), "models")(request())
    assert {n for (metric, *_), n in counts(tally).items() if metric == "tokens"} == {0}


async def test_a_failed_request_is_counted_by_its_reason_and_still_raises() -> None:
    tally = CallTally()
    for error in (BUSY, REFUSED):
        with pytest.raises(InferenceError) as caught:
            await tally.counted_send(ScriptedSend(error), "models")(request())
        assert caught.value is error
    assert calls_and_tokens(tally) == {
        ("requests", "models", "http_429"): 1,
        ("requests", "models", "http_400"): 1,
    }


async def test_a_repeated_request_is_a_retry_for_the_reason_of_the_attempt_before() -> None:
    tally = CallTally()
    await retrying(tally, BUSY, DOWN, COUNTED)(request())
    counted = counts(tally)
    retries = {label: n for (metric, _, label), n in counted.items() if metric == "retries"}
    assert retries == {"http_429": 1, "http_500": 1}
    assert counted["requests", "models", "ok"] == 1


async def test_a_call_that_is_given_up_counts_no_retry_for_its_last_attempt() -> None:
    tally = CallTally()
    asked = request()
    await retrying(tally, DOWN)(asked)
    assert counts(tally)["retries", "models", "http_500"] == 2
    again = CallTally()
    await retrying(again, REFUSED)(asked)
    await again.counted_send(ScriptedSend(COUNTED), "models")(asked)
    assert not [key for key in counts(again) if key[0] == "retries"]


async def test_a_hit_is_a_response_that_made_no_request() -> None:
    tally = CallTally()
    complete = retrying(tally, COUNTED)
    for question in ("Why?", "How?", "Why?", "Why?"):
        await complete(request(question))
    counted = counts(tally)
    assert counted["cache_lookups", "models", "miss"] == 2
    assert counted["cache_lookups", "models", "hit"] == 2
    assert counted["requests", "models", "ok"] == 2


async def test_a_failure_shared_within_a_batch_is_no_hit() -> None:
    tally = CallTally()
    complete = retrying(tally, REFUSED)
    for _ in range(2):
        assert (await complete(request())).error == "http_400"
    assert counts(tally)["cache_lookups", "models", "miss"] == 2
    assert ("cache_lookups", "models", "hit") not in counts(tally)


async def test_a_hit_saves_tokens_and_time_and_a_shared_call_tokens_only() -> None:
    tally = CallTally()
    observe = tally.observer("models")
    response = replace(COUNTED, latency_ms=812.4)
    for found in (Found.HIT, Found.HIT, Found.SHARED, Found.MISS, Found.STALE):
        observe(request(), found, response)
    counted = counts(tally)
    assert counted["tokens_saved", "models", "input"] == 27
    assert counted["tokens_saved", "models", "output"] == 9
    assert counted["milliseconds_saved", "models", ""] == 1_624
    assert counted["cache_lookups", "models", "hit"] == 3
    assert counted["cache_lookups", "models", "stale"] == 1


async def test_a_request_that_was_given_up_is_forgotten_under_every_policy() -> None:
    tally = CallTally()
    asked = request()
    complete = with_retry(
        tally.counted_send(ScriptedSend(DOWN, COUNTED), "models"),
        max_attempts=1,
        deadline_s=600,
        sleep=ManualTime().sleep,
        random=lambda: 0.5,
        clock=ManualTime().clock,
    )
    for _ in range(2):
        await tally.settled(complete)(asked)
    assert not [key for key in counts(tally) if key[0] == "retries"]


@pytest.mark.parametrize("outcome", [COUNTED, BUSY])
async def test_every_request_is_timed_whatever_comes_of_it(
    outcome: Response | InferenceError,
) -> None:
    time = ManualTime()
    tally = CallTally(time.clock)
    for takes_s in (0.2, 0.25, 7.0):
        send = tally.counted_send(ScriptedSend(outcome, time=time, takes_s=takes_s), "models")
        with suppress(InferenceError):
            await send(request())
    durations = {key[2]: n for key, n in counts(tally).items() if key[0] == "durations"}
    assert durations == {"0.25": 2, "10.0": 1}
    assert counts(tally)["microseconds", "models", ""] == 7_450_000


async def test_the_most_requests_at_once_are_counted_by_endpoint() -> None:
    tally = CallTally()
    for endpoint, n in (("models", 3), ("models", 2), ("judges", 1)):
        held = HeldSend()
        send = tally.counted_send(held, endpoint)
        calls = [asyncio.ensure_future(send(request())) for _ in range(n)]
        await settle()
        if n == 2:
            calls[0].cancel()
        held.release.set()
        await asyncio.gather(*calls, return_exceptions=True)
    assert counts(tally)["requests_in_flight", "models", ""] == 3
    assert counts(tally)["requests_in_flight", "judges", ""] == 1
    assert counts(tally)["requests", "models", "cancelled"] == 1
