"""Requests for tests, and their form as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from streaming_eval.records import Message, Request

ENDPOINT = "http://127.0.0.1:8000/v1"


def request(
    question: str = "Why?",
    *,
    model: str = "llama-2-7b",
    messages: tuple[Message, ...] | None = None,
    parameters: Mapping[str, object] = MappingProxyType({"temperature": 0}),
    revision: str = "",
) -> Request:
    return Request(
        endpoint=ENDPOINT,
        api="openai_chat",
        model=model,
        messages=messages or (Message("user", question),),
        parameters=parameters,
        revision=revision,
    )


def as_json(value: Request) -> dict[str, Any]:
    return {
        "api": value.api,
        "endpoint": value.endpoint,
        "messages": [{"role": m.role, "content": m.content} for m in value.messages],
        "model": value.model,
        "parameters": value.parameters,
        "revision": value.revision,
        "sample_index": value.sample_index,
    }


def from_json(document: Mapping[str, Any]) -> Request:
    messages = tuple(Message(m["role"], m["content"]) for m in document["messages"])
    return Request(**{**document, "messages": messages})
