"""Latency, limits and faults of the real server process, over real HTTP."""

import asyncio
import errno
from collections import Counter

import aiohttp
import pytest

from streaming_eval.errors import SettingsError
from streaming_eval.local.behaviour import Behaviour
from streaming_eval.local.endpoint_process import RecordedEndpoint
from streaming_eval.local.questions import load_questions
from tests.local.endpoint_calls import ask, chat


async def test_over_the_limit_come_429_and_how_long_to_wait(
    http: aiohttp.ClientSession,
) -> None:
    prompt = load_questions()[0].prompt
    with RecordedEndpoint(Behaviour(requests_per_minute=30, burst=2)) as endpoint:
        url = f"{endpoint.base_url}/chat/completions"
        for remaining in ("1", "0"):
            async with http.post(url, json=chat(prompt)) as reply:
                assert reply.status == 200
                assert reply.headers["x-ratelimit-limit-requests"] == "30"
                assert reply.headers["x-ratelimit-remaining-requests"] == remaining
        async with http.post(url, json=chat(prompt)) as reply:
            assert reply.status == 429
            assert reply.headers["Retry-After"] == "2"
            assert (await reply.json())["error"]["code"] == "rate_limit_exceeded"


async def test_errors_are_real_ones(http: aiohttp.ClientSession) -> None:
    question = load_questions()[0]
    found: Counter[object] = Counter()
    with RecordedEndpoint(Behaviour(error_rate=0.9), synthetic=True) as endpoint:
        for n in range(100):
            try:
                status, _ = await ask(http, endpoint, chat(f"{question.prompt} {n}"))
                found[status] += 1
            except aiohttp.ClientOSError as error:
                assert error.errno == errno.ECONNRESET
                found["reset"] += 1
        stats = endpoint.stats()
    assert set(found) == {200, 500, 503, "reset"}
    assert stats["by_status"]["0"] == found["reset"]
    assert stats["by_status"]["500"] == found[500]


async def test_malformed_replies_are_broken_in_four_ways(http: aiohttp.ClientSession) -> None:
    found: Counter[str] = Counter()
    with RecordedEndpoint(Behaviour(malformed_rate=1), synthetic=True) as endpoint:
        url = f"{endpoint.base_url}/chat/completions"
        for n in range(60):
            async with http.post(url, json=chat(f"prompt {n}")) as reply:
                assert reply.status == 200
                found[_kind(reply.content_type, await reply.read())] += 1
    assert set(found) == {"html", "plain text", "no choices", "no json"}


def _kind(content_type: str, body: bytes) -> str:
    if content_type == "text/html":
        return "html"
    if content_type == "text/plain":
        return "plain text"
    if b'"choices":[]' in body:
        return "no choices"
    assert not body.endswith(b"}")
    return "no json"


async def test_latency_is_waited_out_by_all_calls_at_once(
    http: aiohttp.ClientSession,
) -> None:
    with RecordedEndpoint(Behaviour(latency_ms=300), synthetic=True) as endpoint:
        loop = asyncio.get_running_loop()
        start = loop.time()
        calls = [ask(http, endpoint, chat(f"prompt {n}")) for n in range(50)]
        assert {status for status, _ in await asyncio.gather(*calls)} == {200}
        took_s = loop.time() - start
        stats = endpoint.stats()
    assert 0.3 <= took_s < 3.0
    assert (stats["in_flight"], stats["max_in_flight"]) == (0, 50)


async def test_behaviour_can_be_changed_while_it_serves(http: aiohttp.ClientSession) -> None:
    with RecordedEndpoint(synthetic=True) as endpoint:
        assert (await ask(http, endpoint, chat("x")))[0] == 200
        changed = endpoint.control(requests_per_minute=1)
        assert changed == Behaviour(requests_per_minute=1)
        statuses = [(await ask(http, endpoint, chat("x")))[0] for _ in range(2)]
        assert statuses == [200, 429]
        with pytest.raises(SettingsError, match="allowed are"):
            endpoint.control(latenzy_ms=1)
