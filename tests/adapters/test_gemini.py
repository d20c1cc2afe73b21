"""The words of Google's `generateContent`; what all APIs share is in `test_model_apis`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from streaming_eval.errors import PermanentError
from streaming_eval.records import Message, Request, Usage
from tests.adapters.api_cases import KEY, answer_to, calling, candidate
from tests.adapters.loopback import Received, always, http
from tests.inference.requests import request

API = "gemini"
GOOD = candidate({"text": "Because."})
SCHEMA = {"type": "object", "properties": {"score": {"type": "integer"}}}
TURNS = (
    Message("system", "Answer."),
    Message("user", "Why?"),
    Message("assistant", "Because."),
    Message("user", "Why"),
    Message("user", "not?"),
)


WHY = request(parameters={})


async def sent(asked: Request = WHY) -> tuple[Received, dict[str, Any]]:
    """A request as the server received it, and its body."""
    async with calling(API, always(http(GOOD))) as (api, server):
        await api.send(replace(asked, endpoint=server.base_url))
    (received,) = server.received
    return received, orjson.loads(received.body)


async def test_a_conversation_is_told_in_the_apis_words() -> None:
    _, body = await sent(request(messages=TURNS, parameters={"temperature": 0.5}))
    assert body == {
        "systemInstruction": {"parts": [{"text": "Answer."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Why?"}]},
            {"role": "model", "parts": [{"text": "Because."}]},
            {"role": "user", "parts": [{"text": "Why"}, {"text": "not?"}]},
        ],
        "generationConfig": {"temperature": 0.5},
    }


async def test_the_key_is_never_in_the_address() -> None:
    received, _ = await sent()
    assert received.headers["x-goog-api-key"] == KEY
    assert KEY not in received.line
    assert "key=" not in received.line


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("gemini-2.5-flash", "models/gemini-2.5-flash"),
        ("models/gemini-2.5-flash", "models/gemini-2.5-flash"),
        ("tunedModels/mine-1", "tunedModels/mine-1"),
        ("gemini-1.0-pro@001", "models/gemini-1.0-pro@001"),
    ],
)
async def test_the_model_is_part_of_the_address(model: str, path: str) -> None:
    received, _ = await sent(request(model=model))
    assert received.line == f"POST /v1/{path}:generateContent HTTP/1.1"


@pytest.mark.parametrize(
    "model",
    ["", "../admin", "a/../b", "a/b/c", "a?key=1", "a#b", "a b", "a\r\nX: 1", "%2e%2e", "ä"],
)
async def test_a_model_cannot_lead_elsewhere(model: str) -> None:
    with pytest.raises(PermanentError) as caught:
        await sent(request(model=model))
    assert caught.value.reason == "invalid_request"


@pytest.mark.parametrize(
    ("given", "beside", "config"),
    [
        ({"max_tokens": 7}, {}, {"maxOutputTokens": 7}),
        ({"max_completion_tokens": 7}, {}, {"maxOutputTokens": 7}),
        ({"stop": "\n", "seed": 1}, {}, {"stopSequences": ["\n"], "seed": 1}),
        ({"stopSequences": ["a"], "topK": 4}, {}, {"stopSequences": ["a"], "topK": 4}),
        ({"top_p": 0.5, "top_k": 4}, {}, {"topP": 0.5, "topK": 4}),
        (
            {"presence_penalty": 0.1, "frequency_penalty": 0.2},
            {},
            {"presencePenalty": 0.1, "frequencyPenalty": 0.2},
        ),
        (
            {"safetySettings": [], "tools": [], "thinkingConfig": {"thinkingBudget": 0}},
            {"safetySettings": [], "tools": []},
            {"thinkingConfig": {"thinkingBudget": 0}},
        ),
        (
            {"response_format": {"type": "json_object"}},
            {},
            {"responseMimeType": "application/json"},
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}},
            {},
            {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA},
        ),
    ],
)
async def test_parameters_are_told_in_the_apis_words(
    given: dict[str, object], beside: dict[str, object], config: dict[str, object]
) -> None:
    _, body = await sent(request(parameters=given))
    del body["contents"]
    assert body == {**beside, "generationConfig": config}


@pytest.mark.parametrize(
    ("reply", "text", "finish_reason"),
    [
        (GOOD, "Because.", "stop"),
        (candidate({"text": "Be"}, finishReason="MAX_TOKENS"), "Be", "length"),
        (candidate({"text": "Be"}, finishReason="OTHER"), "Be", "other"),
        (candidate({"text": "Be"}, finishReason=None), "Be", None),
        (candidate({"text": "Be"}, finishReason=["STOP"]), "Be", None),
        (candidate({"text": "Hm", "thought": True}, {"text": "a"}, {"text": "b"}), "ab", "stop"),
        (candidate({"functionCall": {}}, {"text": "a"}), "a", "stop"),
        (candidate({"text": ""}), "", "stop"),
        ({**GOOD, "promptFeedback": {"safetyRatings": []}}, "Because.", "stop"),
    ],
)
async def test_every_kind_of_answer_is_an_answer(
    reply: object, text: str, finish_reason: str | None
) -> None:
    response = await answer_to(API, always(http(reply)))
    assert (response.text, response.finish_reason) == (text, finish_reason)


@pytest.mark.parametrize(
    "reply",
    [
        {"promptFeedback": {"blockReason": "SAFETY"}},
        {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "candidates": []},
        *(
            candidate({"text": "part"}, finishReason=reason)
            for reason in ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII")
        ),
        candidate(content=None, finishReason="SAFETY"),
    ],
)
async def test_what_was_blocked_is_no_answer(reply: object) -> None:
    with pytest.raises(PermanentError) as caught:
        await answer_to(API, always(http(reply)))
    assert caught.value.reason == "content_filter"


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, Usage()),
        ({"promptTokenCount": 4, "candidatesTokenCount": 2}, Usage(4, 2)),
        (
            {
                "promptTokenCount": 4,
                "cachedContentTokenCount": 3,
                "toolUsePromptTokenCount": 10,
                "candidatesTokenCount": 2,
                "thoughtsTokenCount": 50,
            },
            Usage(14, 52),
        ),
        ({"promptTokenCount": "4", "thoughtsTokenCount": 50}, Usage(None, 50)),
    ],
)
async def test_thoughts_count_as_output_and_tools_as_input(usage: object, expected: Usage) -> None:
    reply = {**GOOD, "usageMetadata": usage}
    assert (await answer_to(API, always(http(reply)))).usage == expected
