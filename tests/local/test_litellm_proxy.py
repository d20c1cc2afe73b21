"""Our clients against a server that others wrote, with its mock answers and its rate limit.

The proxy is also put between our client and the recorded endpoint, to which it speaks each API in
its own way; then both sides of the wire are somebody else's.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import numpy as np
import orjson
import pytest

from streaming_eval.adapters.http_exchange import open_session
from streaming_eval.adapters.model_apis import MODEL_APIS
from streaming_eval.adapters.rate_limit_headers import remaining
from streaming_eval.inference.calls.coalesce import with_coalescing
from streaming_eval.inference.calls.retry import with_retry
from streaming_eval.inference.complete import Complete
from streaming_eval.inference.quota.messages import Remaining
from streaming_eval.local.embeddings_wire import hashed_words
from streaming_eval.local.endpoint_process import RecordedEndpoint
from streaming_eval.local.questions import load_questions
from streaming_eval.records import Message, Request, Response
from tests.local.api_calls import CHAT_APIS
from tests.local.litellm_proxy import KEY, RPM, proxy

pytestmark = pytest.mark.slow

WHY = (Message("system", "Be brief."), Message("user", "Why?"))


@pytest.fixture(scope="module")
def endpoint() -> Iterator[RecordedEndpoint]:
    with RecordedEndpoint() as running:
        yield running


@pytest.fixture(scope="module")
def litellm(endpoint: RecordedEndpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with proxy(endpoint.root_url, tmp_path_factory.mktemp("litellm")) as url:
        yield url


@pytest.fixture
def litellm_behind_a_limit(litellm: str, endpoint: RecordedEndpoint) -> Iterator[str]:
    endpoint.control(requests_per_minute=6, burst=1)
    yield litellm
    endpoint.control(requests_per_minute=0)


def base_url(name: str, litellm: str) -> str:
    return f"{litellm}/{'v1beta' if name == 'gemini' else 'v1'}"


async def responses(
    name: str, litellm: str, model: str, *asked: tuple[Message, ...], max_inputs: int = 1
) -> list[Response]:
    """What comes of requests made at the same time, each tried once."""
    async with open_session(32) as session:
        url = base_url(name, litellm)
        api = MODEL_APIS[name](session, base_url=url, api_key=KEY, timeout_s=30)
        complete: Complete = with_retry(
            api.send,
            max_attempts=1,
            deadline_s=60,
            sleep=asyncio.sleep,
            random=lambda: 0.5,
            clock=time.monotonic,
        )
        if max_inputs > 1:
            complete = with_coalescing(
                complete,
                max_inputs=max_inputs,
                max_chars=10**6,
                max_wait_s=0.01,
                sleep=asyncio.sleep,
            )
        requests = [Request(url, name, model, messages) for messages in asked]
        return await asyncio.gather(*map(complete, requests))


@pytest.mark.parametrize("name", CHAT_APIS)
async def test_its_mock_answers_are_understood(litellm: str, name: str) -> None:
    [response] = await responses(name, litellm, "mocked", WHY)
    assert (response.text, response.finish_reason, response.error) == ("Because.", "stop", None)
    assert response.usage.input_tokens and response.usage.output_tokens


@pytest.mark.parametrize("name", CHAT_APIS)
async def test_a_model_it_does_not_have_is_our_fault(litellm: str, name: str) -> None:
    [response] = await responses(name, litellm, "no-such-model", WHY)
    assert response.error in ("http_400", "http_404")
    assert "no-such-model" in (response.error_detail or "")
    assert KEY not in (response.error_detail or "")


@pytest.mark.parametrize("name", ["openai_chat", "anthropic_messages"])
async def test_its_server_errors_may_be_retried(litellm: str, name: str) -> None:
    [response] = await responses(name, litellm, "broken", WHY)
    assert response.error == "http_500"
    assert "mock internal server error" in (response.error_detail or "")


async def test_its_rate_limit_lets_through_what_it_allows(litellm: str) -> None:
    asked = [(Message("user", str(n)),) for n in range(3 * RPM)]
    found = await responses("openai_chat", litellm, "limited", *asked)
    outcomes = Counter(response.error for response in found)
    assert set(outcomes) == {None, "http_429"}
    assert RPM <= outcomes[None] <= 2 * RPM, "a minute may begin in between"
    assert all("rate limit" in (r.error_detail or "").lower() for r in found if r.error)


@pytest.mark.parametrize("model", ["as-openai", "as-anthropic", "as-gemini"])
async def test_through_it_the_recorded_answers_arrive_in_every_api(
    litellm: str, model: str
) -> None:
    questions = load_questions()[:8]
    asked = [(Message("user", question.prompt),) for question in questions]
    found = await responses("openai_chat", litellm, model, *asked)
    assert [r.text for r in found] == [q.answers["llama-2-7b"] for q in questions]
    assert {r.finish_reason for r in found} <= {"stop", "length"}


async def test_through_it_prompts_in_plain_text_travel_together(
    litellm: str, endpoint: RecordedEndpoint
) -> None:
    before, questions = endpoint.stats()["calls"], load_questions()[:8]
    asked = [(Message("user", question.prompt),) for question in questions]
    found = await responses("openai_completions", litellm, "base", *asked, max_inputs=8)
    assert [r.text for r in found] == [q.answers["llama-2-7b"] for q in questions]
    assert all(r.usage.input_tokens is not None for r in found)
    assert endpoint.stats()["calls"] - before == 1


async def test_through_it_we_hear_what_is_left_at_the_provider(litellm_behind_a_limit: str) -> None:
    heard: list[Remaining | None] = []

    def note(headers: Mapping[str, str]) -> None:
        heard.append(remaining(headers, "requests", datetime.now(UTC)))

    async with open_session(1, note) as session:
        url = base_url("openai_chat", litellm_behind_a_limit)
        api = MODEL_APIS["openai_chat"](session, base_url=url, api_key=KEY, timeout_s=30)
        prompt = Message("user", load_questions()[0].prompt)
        await api.send(Request(url, "openai_chat", "as-openai", (prompt,)))
    [left] = heard
    assert left is not None
    assert left.n == 0
    assert 9 < left.reset_s <= 10


async def test_through_it_a_batch_of_inputs_is_one_request(
    litellm: str, endpoint: RecordedEndpoint
) -> None:
    before = endpoint.stats()["calls"]
    texts = [f"word{n} of many" for n in range(100)]
    asked = [(Message("user", text),) for text in texts]
    found = await responses("openai_embeddings", litellm, "vectors", *asked, max_inputs=50)
    for text, response in zip(texts, found, strict=True):
        assert np.allclose(orjson.loads(response.text or ""), hashed_words(text, 256))
    assert endpoint.stats()["calls"] - before == sum(r.attempts for r in found) == 2
