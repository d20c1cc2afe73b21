"""The wire format of OpenAI: chat completions, and what embeddings share with them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from http import HTTPStatus

import orjson

from streaming_eval.local.answers import AnswerBook
from streaming_eval.local.chat_request import (
    ChatRequest,
    members,
    messages_in,
    name_of,
    tokens_asked,
    tokens_said,
)
from streaming_eval.local.http_message import Head
from streaming_eval.local.rate_limit import RateLimit
from streaming_eval.local.wire_format import WireFormat, bearer_or

OPENAI_KEY = bearer_or("api-key")  # the latter is Azure's

_KINDS: Mapping[int, str] = {
    HTTPStatus.TOO_MANY_REQUESTS: "requests",
    HTTPStatus.INTERNAL_SERVER_ERROR: "server_error",
    HTTPStatus.SERVICE_UNAVAILABLE: "server_error",
}


def openai_error(status: int, message: str, code: str | None) -> bytes:
    """The body of a failed reply."""
    kind = _KINDS.get(status, "invalid_request_error")
    return orjson.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}})


def openai_limits(limit: RateLimit) -> dict[str, str]:
    """`x-ratelimit-*`."""
    return {
        "X-RateLimit-Limit-Requests": f"{limit.per_minute:g}",
        "X-RateLimit-Remaining-Requests": str(limit.remaining),
        "X-RateLimit-Reset-Requests": f"{limit.full_in_s:.3f}s",
    }


def _parse(head: Head, body: object) -> ChatRequest:
    asked = members(body)
    model, messages = name_of(asked.get("model")), messages_in(asked.get("messages"))
    if asked.get("stream"):
        raise ValueError("'stream' is not supported here")
    if asked.get("n", 1) != 1:
        raise ValueError("'n' may only be 1 here")
    return ChatRequest(model, messages)


def _answer(chat: ChatRequest, book: AnswerBook, call_id: str) -> bytes:
    answer = book.answer(chat.model, chat.messages)
    asked, said = tokens_asked(chat.messages), tokens_said(answer.text)
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": answer.text},
        "finish_reason": answer.finish_reason,
    }
    return orjson.dumps(
        {
            "id": f"chatcmpl-{call_id}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": chat.model,
            "system_fingerprint": answer.fingerprint,
            "choices": [choice],
            "usage": {
                "prompt_tokens": asked,
                "completion_tokens": said,
                "total_tokens": asked + said,
            },
        }
    )


OPENAI_CHAT = WireFormat("choices", OPENAI_KEY, _parse, _answer, openai_error, openai_limits)
