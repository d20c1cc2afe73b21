"""The wire format of Google's `generateContent`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus

import orjson

from streaming_eval.local.answers import AnswerBook
from streaming_eval.local.chat_request import (
    ChatRequest,
    members,
    name_of,
    text_of,
    tokens_asked,
    tokens_said,
)
from streaming_eval.local.http_message import Head
from streaming_eval.local.rate_limit import RateLimit
from streaming_eval.local.wire_format import WireFormat, bearer_or
from streaming_eval.records import Message

_PATH = re.compile(r"/v1(?:beta)?/models/([^/]+):generateContent")

_STATUSES: Mapping[int, str] = {
    HTTPStatus.BAD_REQUEST: "INVALID_ARGUMENT",
    HTTPStatus.UNAUTHORIZED: "UNAUTHENTICATED",
    HTTPStatus.NOT_FOUND: "NOT_FOUND",
    HTTPStatus.TOO_MANY_REQUESTS: "RESOURCE_EXHAUSTED",
    HTTPStatus.INTERNAL_SERVER_ERROR: "INTERNAL",
    HTTPStatus.SERVICE_UNAVAILABLE: "UNAVAILABLE",
}
_ROLES = {"user": "user", "model": "assistant"}
_FINISH_REASONS = {"stop": "STOP", "length": "MAX_TOKENS"}


def model_in(path: str) -> str | None:
    """The model that a path of this API names; None where it is no such path.

    >>> model_in("/v1beta/models/gemini-pro:generateContent"), model_in("/v1/models")
    ('gemini-pro', None)
    """
    named = _PATH.fullmatch(path)
    return named[1] if named else None


def _parse(head: Head, body: object) -> ChatRequest:
    asked = members(body)
    model = name_of(model_in(head.path))
    contents = asked.get("contents")
    if not isinstance(contents, list) or not contents:
        raise ValueError("contents is not specified")
    turns = tuple(map(_turn, contents))
    system = asked.get("systemInstruction") or asked.get("system_instruction")
    return ChatRequest(model, (Message("system", _said(system)), *turns) if system else turns)


def _turn(content: object) -> Message:
    role = content.get("role", "user") if isinstance(content, Mapping) else None
    if role not in _ROLES:
        raise ValueError("Please use a valid role: user, model.")
    return Message(_ROLES[role], _said(content))


def _said(content: object) -> str:
    parts = content.get("parts") if isinstance(content, Mapping) else None
    return text_of(parts if isinstance(parts, list) else None, "parts")


def _answer(chat: ChatRequest, book: AnswerBook, call_id: str) -> bytes:
    answer = book.answer(chat.model, chat.messages)
    asked, said = tokens_asked(chat.messages), tokens_said(answer.text)
    candidate = {
        "index": 0,
        "content": {"role": "model", "parts": [{"text": answer.text}]},
        "finishReason": _FINISH_REASONS[answer.finish_reason],
    }
    return orjson.dumps(
        {
            "candidates": [candidate],
            "usageMetadata": {
                "promptTokenCount": asked,
                "candidatesTokenCount": said,
                "totalTokenCount": asked + said,
            },
            "modelVersion": chat.model,
            "responseId": call_id,
        }
    )


def _error(status: int, message: str, code: str | None) -> bytes:
    error = {"code": int(status), "message": message, "status": _STATUSES.get(status, "UNKNOWN")}
    return orjson.dumps({"error": error})


def _limits(limit: RateLimit) -> dict[str, str]:
    return {}  # this API tells them nowhere


GEMINI = WireFormat("candidates", bearer_or("x-goog-api-key"), _parse, _answer, _error, _limits)
