"""The words of Anthropic's Messages API; what all APIs share is in `test_model_apis`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson
import pytest

from streaming_eval.adapters.anthropic_messages import DEFAULT_MAX_TOKENS
from streaming_eval.errors import PermanentError, RetryableError
from streaming_eval.records import Message, Usage
from tests.adapters.api_cases import answer_to, calling, message
from tests.adapters.loopback import always, http
from tests.inference.requests import request

API = "anthropic_messages"
ASKED = (Message("system", "Answer."), Message("user", "Why?"))
SCHEMA = {"type": "object", "properties": {"score": {"type": "integer"}}}


async def sent(
    messages: tuple[Message, ...] = ASKED, **parameters: object
) -> tuple[Mapping[str, str], dict[str, Any]]:
    """Headers and body of a request as the server received them."""
    async with calling(API, always(http(message()))) as (api, server):
        asked = request(messages=messages, parameters=parameters)
        await api.send(replace(asked, endpoint=server.base_url))
    (received,) = server.received
    return received.headers, orjson.loads(received.body)


async def test_the_system_prompt_stands_apart_and_the_version_is_told() -> None:
    headers, body = await sent(temperature=0.5)
    assert headers["anthropic-version"] == "2023-06-01"
    assert body == {
        "model": "llama-2-7b",
        "system": "Answer.",
        "messages": [{"role": "user", "content": "Why?"}],
        "max_tokens": DEFAULT_MAX_TOKENS,
        "temperature": 0.5,
    }


async def test_turns_keep_their_order_and_system_prompts_become_one() -> None:
    turns = (
        Message("system", "Be brief."),
        Message("user", "Why?"),
        Message("assistant", "Because."),
        Message("developer", "Be kind."),
        Message("user", "Why not?"),
    )
    _, body = await sent(turns)
    assert body["system"] == "Be brief.\n\nBe kind."
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]


async def test_without_a_system_prompt_none_is_sent() -> None:
    _, body = await sent(ASKED[1:])
    assert "system" not in body


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"max_tokens": 7}, {"max_tokens": 7}),
        ({"max_completion_tokens": 7}, {"max_tokens": 7}),
        ({"stop": "\n"}, {"stop_sequences": ["\n"]}),
        ({"stop": ["a", "b"]}, {"stop_sequences": ["a", "b"]}),
        ({"stop_sequences": ["a"], "top_k": 4}, {"stop_sequences": ["a"], "top_k": 4}),
        ({"response_format": {"type": "text"}}, {}),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}},
            {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        ),
        (
            {
                "response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}},
                "output_config": {"effort": "low"},
            },
            {
                "output_config": {
                    "effort": "low",
                    "format": {"type": "json_schema", "schema": SCHEMA},
                }
            },
        ),
    ],
)
async def test_parameters_are_told_in_the_apis_words(
    given: dict[str, object], said: dict[str, object]
) -> None:
    _, body = await sent(ASKED[1:], **given)
    del body["model"], body["messages"]
    assert body == {"max_tokens": DEFAULT_MAX_TOKENS, **said}


@pytest.mark.parametrize(
    ("messages", "parameters"),
    [
        (ASKED[:1], {}),
        ((Message("tool", "42"),), {}),
        (ASKED, {"stop": "a", "stop_sequences": ["b"]}),
        (ASKED, {"max_tokens": 1, "max_completion_tokens": 1}),
        (ASKED, {"response_format": {"type": "json_object"}}),
        (ASKED, {"response_format": {"type": "json_schema"}}),
        (ASKED, {"response_format": "json"}),
    ],
    ids=[
        "nothing asked",
        "an unknown role",
        "two stops",
        "two limits",
        "JSON without a schema",
        "half a format",
        "no format",
    ],
)
async def test_what_the_api_has_no_words_for_is_not_sent(
    messages: tuple[Message, ...], parameters: dict[str, object]
) -> None:
    asked = request(messages=messages, parameters=parameters)
    with pytest.raises(PermanentError) as caught:
        await answer_to(API, always(http(message())), asked)
    assert caught.value.reason == "invalid_request"


@pytest.mark.parametrize(
    ("reply", "text", "finish_reason"),
    [
        (message(stop_reason="end_turn"), "Because.", "stop"),
        (message(stop_reason="stop_sequence", stop_sequence="\n"), "Because.", "stop"),
        (message(stop_reason="max_tokens"), "Because.", "length"),
        (message(stop_reason="model_context_window_exceeded"), "Because.", "length"),
        (message(stop_reason="tool_use"), "Because.", "tool_calls"),
        (message(stop_reason="pause_turn"), "Because.", "pause_turn"),
        (message(stop_reason="refusal"), "Because.", "refusal"),
        (message(stop_reason="refusal", content=[]), "", "refusal"),
        (message(stop_reason="stop_sequence", content=[]), "", "stop"),
        (message(stop_reason=None), "Because.", None),
        (message(stop_reason=["end_turn"]), "Because.", None),
        (message(error=None), "Because.", "stop"),
    ],
)
async def test_every_end_has_its_finish_reason(
    reply: object, text: str, finish_reason: str | None
) -> None:
    response = await answer_to(API, always(http(reply)))
    assert (response.text, response.finish_reason) == (text, finish_reason)


async def test_text_blocks_are_joined_and_the_rest_is_no_text() -> None:
    blocks = [
        {"type": "thinking", "thinking": "Hm", "text": "Hm"},
        {"type": "text", "text": "Because "},
        {"type": "tool_use", "id": "t", "name": "f", "input": {}},
        {"type": "text", "text": "so."},
    ]
    assert (await answer_to(API, always(http(message(content=blocks))))).text == "Because so."


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, Usage()),
        ({"input_tokens": 4, "output_tokens": 2}, Usage(4, 2)),
        (
            {
                "input_tokens": 4,
                "cache_creation_input_tokens": 100,
                "cache_read_input_tokens": 2_000,
                "output_tokens": 2,
            },
            Usage(2_104, 2),
        ),
        ({"input_tokens": 4, "cache_read_input_tokens": None}, Usage(4, None)),
        ({"input_tokens": 4, "cache_read_input_tokens": -1}, Usage(None, None)),
    ],
)
async def test_cached_tokens_count_as_input(usage: object, expected: Usage) -> None:
    assert (await answer_to(API, always(http(message(usage=usage))))).usage == expected


@pytest.mark.parametrize("kind", ["overloaded_error", "rate_limit_error", "api_error"])
async def test_an_error_in_a_200_that_will_pass_is_known_by_its_type(kind: str) -> None:
    error = {"type": "error", "error": {"type": kind, "message": "Overloaded"}}
    with pytest.raises(RetryableError) as caught:
        await answer_to(API, always(http(error)))
    assert (caught.value.reason, caught.value.message) == ("error_in_200", "Overloaded")
