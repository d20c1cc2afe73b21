"""What a model is asked, whatever the API, and how much of it there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from streaming_eval.records import Message

_CHARACTERS_PER_TOKEN = 4
_TOKENS_PER_MESSAGE = 4
MOST_INPUTS = 2_048


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """The part of a request that decides its answer here.

    Attributes:
        messages: for embeddings and completions, one per input.
        options: the body, for what else matters to one API.
    """

    model: str
    messages: tuple[Message, ...]
    options: Mapping[str, object] = field(default_factory=dict)


def members(body: object) -> Mapping[str, object]:
    """The members of a parsed JSON body; ValueError when it is no object."""
    if not isinstance(body, dict):
        raise ValueError("the body must be a JSON object")
    return body


def messages_in(value: object, name: str = "messages") -> tuple[Message, ...]:
    """Messages of `role` and `content`; ValueError when there are none."""
    if not isinstance(value, list) or not value:
        raise ValueError(f"'{name}' must be a non-empty array")
    return tuple(map(_message, value))


def name_of(model: object) -> str:
    """The model's name; ValueError when there is none."""
    if not isinstance(model, str) or not model:
        raise ValueError("'model' must be a non-empty string")
    return model


def texts_in(value: object, name: str) -> list[str]:
    """Independent inputs, one or many; ValueError when there are none or too many."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not 0 < len(texts) <= MOST_INPUTS:
        raise ValueError(f"'{name}' must be a string or an array of 1 to {MOST_INPUTS} strings")
    if not all(isinstance(text, str) and text for text in texts):
        raise ValueError(f"'{name}' must not hold an empty string or anything else")
    return texts


def text_of(content: object, name: str = "content") -> str:
    """The text of a message, which may come in parts; ValueError when it is something else."""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(part, Mapping) for part in content):
        parts = [part.get("text") for part in content]
        if all(isinstance(part, str) for part in parts):
            return "".join(parts)
    raise ValueError(f"'{name}' must be a string or an array of text parts")


def tokens_asked(messages: Sequence[Message]) -> int:
    """Tokens of a conversation, near the truth for English."""
    characters = sum(len(message.content) for message in messages)
    return -(-characters // _CHARACTERS_PER_TOKEN) + _TOKENS_PER_MESSAGE * len(messages)


def tokens_said(text: str) -> int:
    """Tokens of an answer, a quarter of its characters."""
    return -(-len(text) // _CHARACTERS_PER_TOKEN)


def _message(message: object) -> Message:
    if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
        raise ValueError("each message must be an object with a 'role'")
    return Message(message["role"], text_of(message.get("content")))
