"""The recorded endpoint in the words of each API it speaks, over real HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from streaming_eval.adapters.model_apis import MODEL_APIS
from streaming_eval.local.behaviour import Behaviour
from streaming_eval.local.endpoint_process import RecordedEndpoint
from streaming_eval.local.questions import load_questions
from tests.local.api_calls import TEXT_APIS, answers

ANTHROPIC = {"anthropic-version": "2023-06-01"}
USER = [{"role": "user", "content": "Why?"}]
MESSAGES = {"model": "llama-2-7b", "max_tokens": 9, "messages": USER}
CONTENTS = {"contents": [{"role": "user", "parts": [{"text": "Why?"}]}]}
PROMPT = {"model": "llama-2-7b", "prompt": "Why?"}
EMBEDDINGS = {"model": "hashed-words", "input": ["a", "b"]}
GEMINI = "/v1beta/models/llama-2-7b:generateContent"
TOLD = ("limit", "remaining", "reset")
NO_ANSWERS = {
    "openai_chat": "empty_choices",
    "anthropic_messages": "empty_content",
    "gemini": "empty_candidates",
    "openai_completions": "empty_choices",
    "openai_embeddings": "empty_data",
}

every_api = pytest.mark.parametrize("name", MODEL_APIS)


@pytest.mark.parametrize("name", TEXT_APIS)
async def test_every_api_gives_the_recorded_answer(
    shared_endpoint: RecordedEndpoint, name: str
) -> None:
    questions = load_questions()[:10]
    responses = await answers(name, shared_endpoint, *(q.prompt for q in questions))
    assert [r.text for r in responses] == [q.answers["llama-2-7b"] for q in questions]
    assert {r.finish_reason for r in responses} == {"stop", "length"}
    assert all(r.usage.input_tokens and r.usage.output_tokens for r in responses)


@pytest.mark.parametrize(
    ("path", "headers", "body", "status", "where", "said"),
    [
        ("/v1/messages", {}, MESSAGES, 400, "type", "invalid_request_error"),
        ("/v1/messages", ANTHROPIC, [], 400, "type", "invalid_request_error"),
        ("/v1/messages", ANTHROPIC, {**MESSAGES, "max_tokens": 0}, 400, "type",
         "invalid_request_error"),
        ("/v1/messages", ANTHROPIC, {**MESSAGES, "messages": [{"role": "system", "content": "a"}]},
         400, "type", "invalid_request_error"),
        ("/v1/messages", ANTHROPIC, {**MESSAGES, "system": 7}, 400, "type",
         "invalid_request_error"),
        ("/v1/messages", ANTHROPIC, {**MESSAGES, "stream": True}, 400, "type",
         "invalid_request_error"),
        ("/v1/messages", ANTHROPIC, MESSAGES, 404, "type", "not_found_error"),
        (GEMINI, {}, {}, 400, "status", "INVALID_ARGUMENT"),
        (GEMINI, {}, {"contents": [{"role": "assistant", "parts": [{"text": "a"}]}]}, 400,
         "status", "INVALID_ARGUMENT"),
        (GEMINI, {}, {"contents": [{"parts": [{"inlineData": {}}]}]}, 400, "status",
         "INVALID_ARGUMENT"),
        (GEMINI, {}, CONTENTS, 404, "status", "NOT_FOUND"),
        ("/v1beta/models/gpt-9:generateContent", {}, CONTENTS, 404, "code", 404),
        ("/v1/completions", {}, PROMPT, 404, "code", "prompt_not_recorded"),
        ("/v1/completions", {}, {**PROMPT, "prompt": []}, 400, "type", "invalid_request_error"),
        ("/v1/completions", {}, {**PROMPT, "n": 2}, 400, "type", "invalid_request_error"),
        ("/v1/completions", {}, {**PROMPT, "stream": True}, 400, "type", "invalid_request_error"),
        ("/v1/embeddings", {}, {**EMBEDDINGS, "model": "gpt-4"}, 404, "code", "model_not_found"),
        ("/v1/embeddings", {}, {**EMBEDDINGS, "input": []}, 400, "type", "invalid_request_error"),
        ("/v1/embeddings", {}, {**EMBEDDINGS, "input": ["a", ""]}, 400, "type",
         "invalid_request_error"),
        ("/v1/embeddings", {}, {**EMBEDDINGS, "input": [[1, 2]]}, 400, "type",
         "invalid_request_error"),
        ("/v1/embeddings", {}, {**EMBEDDINGS, "input": ["a"] * 2_049}, 400, "type",
         "invalid_request_error"),
        ("/v1/embeddings", {}, {**EMBEDDINGS, "dimensions": 0}, 400, "type",
         "invalid_request_error"),
        ("/v1/embeddings", {}, {**EMBEDDINGS, "encoding_format": "hex"}, 400, "type",
         "invalid_request_error"),
    ],
)  # fmt: skip
async def test_what_cannot_be_answered_is_refused_in_the_apis_words(
    http: aiohttp.ClientSession,
    shared_endpoint: RecordedEndpoint,
    path: str,
    headers: dict[str, str],
    body: object,
    status: int,
    where: str,
    said: object,
) -> None:
    url = shared_endpoint.root_url + path
    async with http.post(url, json=body, headers=headers) as reply:
        document = await reply.json()
    assert (reply.status, document["error"][where]) == (status, said)
    assert document["error"]["message"]


@every_api
async def test_only_the_right_key_is_let_in(name: str) -> None:
    prompt = load_questions()[0].prompt
    with RecordedEndpoint(api_key="sesame") as endpoint:
        found = [
            (await answers(name, endpoint, prompt, api_key=key))[0].error
            for key in (None, "wrong", "sesame")
        ]
    assert found == ["http_401", "http_401", None]


@every_api
async def test_broken_replies_are_broken_in_the_apis_words(name: str) -> None:
    broken = Behaviour(error_rate=0.4, malformed_rate=0.6)
    with RecordedEndpoint(broken, synthetic=True) as endpoint:
        responses = await answers(name, endpoint, *(f"prompt {n}" for n in range(80)))
    overloaded = "http_529" if name == "anthropic_messages" else "http_503"
    kinds = {"http_500", overloaded, "connection", "bad_json", "wrong_content_type"}
    assert {response.error for response in responses} == {*kinds, NO_ANSWERS[name]}


@every_api
async def test_all_apis_share_one_limit(name: str) -> None:
    prompts = [question.prompt for question in load_questions()[:3]]
    with RecordedEndpoint(Behaviour(requests_per_minute=1, burst=2)) as endpoint:
        assert (await answers("openai_chat", endpoint, prompts[0]))[0].error is None
        errors = [response.error for response in await answers(name, endpoint, *prompts[1:])]
    assert errors == [None, "http_429"]


async def test_anthropics_limit_is_told_in_its_headers(http: aiohttp.ClientSession) -> None:
    limited = Behaviour(requests_per_minute=60, burst=2)
    with RecordedEndpoint(limited, synthetic=True) as endpoint:
        url = f"{endpoint.root_url}/v1/messages"
        async with http.post(url, json=MESSAGES, headers=ANTHROPIC) as reply:
            told = {name: reply.headers[f"anthropic-ratelimit-requests-{name}"] for name in TOLD}
    full_at = datetime.fromisoformat(told.pop("reset"))
    assert told == {"limit": "60", "remaining": "1"}
    assert abs((full_at - datetime.now(UTC)).total_seconds()) < 5


@pytest.mark.parametrize("name", ["systemInstruction", "system_instruction"])
async def test_a_system_prompt_counts_as_input_under_either_name(
    http: aiohttp.ClientSession, shared_endpoint: RecordedEndpoint, name: str
) -> None:
    prompt = load_questions()[0].prompt
    body: dict[str, Any] = {"contents": [{"parts": [{"text": prompt}]}]}
    counts = []
    for more in ({}, {name: {"parts": [{"text": "x" * 400}]}}):
        async with http.post(shared_endpoint.root_url + GEMINI, json={**body, **more}) as reply:
            counts.append((await reply.json())["usageMetadata"]["promptTokenCount"])
    assert counts[1] == counts[0] + 104
