"""One example per model API: a good reply, and replies that hold no answer."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from struct import pack
from typing import Any, TypedDict, Unpack

import aiohttp

from streaming_eval.adapters.http_exchange import open_session
from streaming_eval.adapters.json_api import Extras, JsonApi
from streaming_eval.adapters.model_apis import MODEL_APIS
from streaming_eval.records import Request, Response
from tests.adapters.calling import KEY
from tests.adapters.loopback import GOOD, Answer, Loopback, serving

__all__ = ["CASES", "KEY", "ApiCase", "answer_to", "calling", "connected", "one_input"]


class Arguments(TypedDict, total=False):
    """What a client may be given; the rest is as good as any."""

    api_key: str | None
    timeout_s: float
    extras: Extras
    max_reply_bytes: int
    now: Callable[[], float]


@dataclass(frozen=True, slots=True)
class ApiCase:
    """How one API answers "Why?" in three tokens, or does not.

    Attributes:
        path: behind the base URL, for model `llama-2-7b`.
        header: what carries the key, and how.
        without: replies with status 200 that hold no answer, and why.
    """

    path: str
    header: tuple[str, str]
    good: Mapping[str, Any]
    text: str
    without: Mapping[str, tuple[Mapping[str, Any], str]]


def message(**changes: object) -> dict[str, Any]:
    """A reply of Anthropic's."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "content": [{"type": "text", "text": "Because."}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 9, "output_tokens": 3},
        **changes,
    }


def candidate(*parts: Mapping[str, object], **changes: object) -> dict[str, Any]:
    """A reply of Google's with these parts."""
    one = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP", **changes}
    usage = {"promptTokenCount": 9, "candidatesTokenCount": 3, "totalTokenCount": 12}
    return {"candidates": [one], "usageMetadata": usage}


def vectors(*embeddings: object) -> dict[str, Any]:
    """A reply to a request for embeddings."""
    data = [
        {"object": "embedding", "index": index, "embedding": embedding}
        for index, embedding in enumerate(embeddings)
    ]
    return {"object": "list", "data": data, "usage": {"prompt_tokens": 9, "completion_tokens": 3}}


def completions(*texts: object, **changes: object) -> dict[str, Any]:
    """A reply to so many prompts."""
    choices = [
        {"index": index, "text": text, "logprobs": None, "finish_reason": "stop", **changes}
        for index, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
    return {"object": "text_completion", "choices": choices, "usage": usage}


def packed(*numbers: float) -> str:
    """A vector as base64 of little-endian single precision."""
    return b64encode(pack(f"<{len(numbers)}f", *numbers)).decode()


FAILED = {"error": {"message": "broken", "code": 400}}
CASES = {
    "openai_chat": ApiCase(
        "/chat/completions",
        ("authorization", f"Bearer {KEY}"),
        GOOD,
        "Because.",
        {
            "nothing": ({}, "empty_choices"),
            "no choices": ({**GOOD, "choices": []}, "empty_choices"),
            "no text": ({"choices": [{"message": {"content": None}}]}, "no_text"),
            "an error": (FAILED, "error_in_200"),
            "an error and no choices": ({**FAILED, "choices": []}, "error_in_200"),
        },
    ),
    "anthropic_messages": ApiCase(
        "/messages",
        ("x-api-key", KEY),
        message(),
        "Because.",
        {
            "nothing": ({}, "empty_content"),
            "no content": (message(content=[]), "empty_content"),
            "content of another kind": (message(content="Because."), "empty_content"),
            "no text": (message(content=[{"type": "thinking", "thinking": "Hm"}]), "no_text"),
            "text of another kind": (message(content=[{"type": "text", "text": 1}]), "no_text"),
            "blocks of another kind": (message(content=["Because."]), "no_text"),
            "an error": ({"type": "error", **FAILED}, "error_in_200"),
        },
    ),
    "gemini": ApiCase(
        "/models/llama-2-7b:generateContent",
        ("x-goog-api-key", KEY),
        candidate({"text": "Because."}),
        "Because.",
        {
            "nothing": ({}, "empty_candidates"),
            "no candidates": ({"candidates": []}, "empty_candidates"),
            "a candidate of another kind": ({"candidates": ["a"]}, "empty_candidates"),
            "no parts": (candidate(), "no_text"),
            "no content": (candidate(content=None), "no_text"),
            "parts of another kind": (candidate(content={"parts": ["a", {"text": 1}]}), "no_text"),
            "thoughts alone": (candidate({"text": "Hm", "thought": True}), "no_text"),
            "an error": (FAILED, "error_in_200"),
        },
    ),
    "openai_completions": ApiCase(
        "/completions",
        ("authorization", f"Bearer {KEY}"),
        completions("Because."),
        "Because.",
        {
            "nothing": ({}, "empty_choices"),
            "no choices": (completions(), "empty_choices"),
            "choices of another kind": ({"choices": "abc"}, "empty_choices"),
            "a choice of another kind": ({"choices": ["abc"]}, "no_text"),
            "no text": (completions(None), "no_text"),
            "another index": (completions("Because.", index=1), "no_text"),
            "a filtered text": (
                completions("Be", finish_reason="content_filter"),
                "content_filter",
            ),
            "an error": (FAILED, "error_in_200"),
        },
    ),
    "openai_embeddings": ApiCase(
        "/embeddings",
        ("authorization", f"Bearer {KEY}"),
        vectors(packed(0.25, -1.0)),
        "[0.25,-1.0]",
        {
            "nothing": ({}, "empty_data"),
            "no data": (vectors(), "empty_data"),
            "data of another kind": ({"data": "abc"}, "empty_data"),
            "vectors of another kind": ({"data": ["abc"]}, "no_vector"),
            "another index": ({"data": [{"index": 1, "embedding": [1.0]}]}, "no_vector"),
            "an error": (FAILED, "error_in_200"),
        },
    ),
}


def connected(
    name: str,
    server: Loopback,
    session: aiohttp.ClientSession,
    **arguments: Unpack[Arguments],
) -> JsonApi:
    """A client of that API for the server."""
    given: Arguments = {"api_key": KEY, "timeout_s": 5, **arguments}
    return MODEL_APIS[name](session, base_url=server.base_url, **given)


@asynccontextmanager
async def calling(
    name: str, answer: Answer, **arguments: Unpack[Arguments]
) -> AsyncIterator[tuple[JsonApi, Loopback]]:
    """A client of that API and a server that gives `answer`."""
    async with serving(answer) as server, open_session(256) as session:
        yield connected(name, server, session, **arguments), server


async def answer_to(name: str, answer: Answer, request: Request | None = None) -> Response:
    """What comes of one request, by default for one answer to "Why?"."""
    async with calling(name, answer) as (api, server):
        asked = request or one_input(server.request())
        return await api.send(replace(asked, endpoint=server.base_url))


def one_input(request: Request) -> Request:
    """The request with its last message only, which every API takes."""
    return replace(request, messages=request.messages[-1:])
