"""The wire format of Anthropic's Messages API, as strict as the original where clients err."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import orjson

from streaming_eval.local.answers import AnswerBook
from streaming_eval.local.chat_request import (
    ChatRequest,
    members,
    messages_in,
    name_of,
    text_of,
    tokens_asked,
    tokens_said,
)
from streaming_eval.local.http_message import OVERLOADED, Head
from streaming_eval.local.rate_limit import RateLimit
from streaming_eval.local.wire_format import WireFormat, bearer_or
from streaming_eval.records import Message

_KINDS = {
    int(HTTPStatus.BAD_REQUEST): "invalid_request_error",
    int(HTTPStatus.UNAUTHORIZED): "authentication_error",
    int(HTTPStatus.NOT_FOUND): "not_found_error",
    int(HTTPStatus.TOO_MANY_REQUESTS): "rate_limit_error",
    OVERLOADED: "overloaded_error",
}
_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens"}
_ROLES = frozenset(("user", "assistant"))


def _parse(head: Head, body: object) -> ChatRequest:
    asked = members(body)
    model, messages = name_of(asked.get("model")), messages_in(asked.get("messages"))
    if "anthropic-version" not in head.headers:
        raise ValueError("anthropic-version: header is required")
    if not _positive(asked.get("max_tokens")):
        raise ValueError("max_tokens: a whole number above 0 is required")
    if any(message.role not in _ROLES for message in messages):
        raise ValueError("messages: role must be 'user' or 'assistant'")
    if asked.get("stream"):
        raise ValueError("stream: not supported here")
    system = text_of(asked.get("system", ""), "system")
    return ChatRequest(model, (Message("system", system), *messages) if system else messages)


def _positive(count: object) -> bool:
    return isinstance(count, int) and not isinstance(count, bool) and count > 0


def _answer(chat: ChatRequest, book: AnswerBook, call_id: str) -> bytes:
    answer = book.answer(chat.model, chat.messages)
    return orjson.dumps(
        {
            "id": f"msg_{call_id}",
            "type": "message",
            "role": "assistant",
            "model": chat.model,
            "content": [{"type": "text", "text": answer.text}],
            "stop_reason": _STOP_REASONS[answer.finish_reason],
            "stop_sequence": None,
            "usage": {
                "input_tokens": tokens_asked(chat.messages),
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "output_tokens": tokens_said(answer.text),
            },
        }
    )


def _error(status: int, message: str, code: str | None) -> bytes:
    error = {"type": _KINDS.get(status, "api_error"), "message": message}
    return orjson.dumps({"type": "error", "error": error})


def _limits(limit: RateLimit) -> dict[str, str]:
    full_at = datetime.now(UTC) + timedelta(seconds=limit.full_in_s)
    return {
        "anthropic-ratelimit-requests-limit": f"{limit.per_minute:g}",
        "anthropic-ratelimit-requests-remaining": str(limit.remaining),
        "anthropic-ratelimit-requests-reset": f"{full_at:%Y-%m-%dT%H:%M:%SZ}",
    }


ANTHROPIC_MESSAGES = WireFormat(
    "content", bearer_or("x-api-key"), _parse, _answer, _error, _limits, overloaded=OVERLOADED
)
