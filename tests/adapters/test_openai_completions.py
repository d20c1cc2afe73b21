"""Prompts as plain text: how they go out, and whose answer is whose."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from streaming_eval.errors import PermanentError
from streaming_eval.inference.calls.joint_response import JointResponse
from streaming_eval.records import Message, Request, Response, Usage
from tests.adapters.api_cases import answer_to, calling, completions
from tests.adapters.loopback import always, http
from tests.inference.requests import request

API = "openai_completions"


def prompts(*texts: str, **parameters: object) -> Request:
    return request(messages=tuple(Message("user", text) for text in texts), parameters=parameters)


async def sent(asked: Request) -> dict[str, Any]:
    """The body of the request."""
    async with calling(API, always(http(completions("A", "B")))) as (api, server):
        await api.send(replace(asked, endpoint=server.base_url))
    document: dict[str, Any] = orjson.loads(server.received[0].body)
    return document


async def parts(*choices: object, n: int = 2) -> list[tuple[str | None, str | None]]:
    """Text and error of each of the `n` answers in a reply."""
    reply = await answer_to(API, always(http({"choices": choices})), prompts(*"abc"[:n]))
    assert isinstance(reply, JointResponse)
    return [(part.text, part.error) for part in reply.parts]


async def test_one_prompt_is_a_string_as_not_all_servers_take_lists() -> None:
    assert await sent(prompts("Why?")) == {"model": "llama-2-7b", "prompt": "Why?"}


async def test_several_prompts_go_out_in_one_request_with_all_parameters() -> None:
    asked = prompts("Why?", "Où? 🤔", stop=["\n", "##"], max_completion_tokens=9, temperature=0)
    assert await sent(asked) == {
        "model": "llama-2-7b",
        "prompt": ["Why?", "Où? 🤔"],
        "stop": ["\n", "##"],
        "max_tokens": 9,
        "temperature": 0,
    }


@pytest.mark.parametrize("more", [{"n": 2}, {"max_tokens": 1, "max_completion_tokens": 2}])
async def test_what_cannot_be_asked_is_refused(more: dict[str, object]) -> None:
    with pytest.raises(PermanentError) as caught:
        await sent(prompts("Why?", **more))
    assert caught.value.reason == "invalid_request"


@pytest.mark.parametrize("reason", ["stop", "length", None])
async def test_the_finish_reason_is_told(reason: str | None) -> None:
    reply = always(http(completions("Because.", finish_reason=reason)))
    response = await answer_to(API, reply, prompts("Why?"))
    assert response == replace(
        response, text="Because.", finish_reason=reason, usage=Usage(9, 3), attempts=1
    )
    assert type(response) is Response


async def test_an_empty_text_is_an_answer() -> None:
    assert (await answer_to(API, always(http(completions(""))), prompts("Why?"))).text == ""


async def test_answers_are_matched_by_their_index() -> None:
    found = await parts({"index": 1, "text": "B"}, {"index": 0, "text": "A"})
    assert found == [("A", None), ("B", None)]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ([], "no_text"),
        ([{"index": 2, "text": "C"}], "no_text"),
        ([{"index": 1, "text": "B"}, {"index": 1, "text": "C"}], "no_text"),
        ([{"index": 1, "text": None}], "no_text"),
        ([{"index": 1}], "no_text"),
        ([{"index": 1, "text": "B", "finish_reason": "content_filter"}], "content_filter"),
    ],
)
async def test_a_prompt_without_one_good_answer_fails_alone(
    wrong: list[object], error: str
) -> None:
    assert await parts({"index": 0, "text": "A"}, *wrong) == [("A", None), (None, error)]
