"""The OpenAI chat wire format: what a request says, what a completion looks like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from streaming_eval.local.answers import Answer
from streaming_eval.records import Message

_CHARACTERS_PER_TOKEN = 4
_TOKENS_PER_MESSAGE = 4


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """The part of a chat request that decides its answer here."""

    model: str
    messages: tuple[Message, ...]


def parse_chat(body: object) -> ChatRequest:
    """The request in a parsed JSON body.

    Raises:
        ValueError: it is no chat request, or asks for something this endpoint does not do.
    """
    if not isinstance(body, dict):
        raise ValueError("the body must be a JSON object")
    model, messages = body.get("model"), body.get("messages")
    if not isinstance(model, str) or not model:
        raise ValueError("'model' must be a non-empty string")
    if not isinstance(messages, list) or not messages:
        raise ValueError("'messages' must be a non-empty array")
    if body.get("stream"):
        raise ValueError("'stream' is not supported here")
    if body.get("n", 1) != 1:
        raise ValueError("'n' may only be 1 here")
    return ChatRequest(model, tuple(map(_message, messages)))


def completion(chat: ChatRequest, answer: Answer, call_id: str, created_s: int) -> bytes:
    """The body of a successful reply.

    Tokens are counted as a quarter of the characters, which is near the truth for English.
    """
    asked, said = _tokens(chat.messages), -(-len(answer.text) // _CHARACTERS_PER_TOKEN)
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": answer.text},
        "finish_reason": answer.finish_reason,
    }
    return orjson.dumps(
        {
            "id": f"chatcmpl-{call_id}",
            "object": "chat.completion",
            "created": created_s,
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


def error_body(message: str, kind: str, code: str | None = None) -> bytes:
    """The body of a failed reply."""
    return orjson.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}})


def _message(message: object) -> Message:
    if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
        raise ValueError("each message must be an object with a 'role'")
    return Message(message["role"], _text(message.get("content")))


def _text(content: object) -> str:
    """The text of a message, which may come in parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(part, Mapping) for part in content):
        parts = [part.get("text") for part in content]
        if all(isinstance(part, str) for part in parts):
            return "".join(parts)
    raise ValueError("'content' must be a string or an array of text parts")


def _tokens(messages: Sequence[Message]) -> int:
    characters = sum(len(message.content) for message in messages)
    return -(-characters // _CHARACTERS_PER_TOKEN) + _TOKENS_PER_MESSAGE * len(messages)
