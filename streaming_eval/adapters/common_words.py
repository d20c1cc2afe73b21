"""What a request says in the words that all APIs share, for those that use words of their own.

A configuration can thus move from one API to another unchanged: the parameters `max_tokens`,
`max_completion_tokens`, `stop`, `response_format`, `top_p`, ... are translated, and an API's own
names pass as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streaming_eval.errors import PermanentError
from streaming_eval.records import Message

_SYSTEM = frozenset(("system", "developer"))
_TURNS = frozenset(("user", "assistant"))


@dataclass(frozen=True, slots=True)
class Conversation:
    """Messages of an API that keeps the system prompt apart.

    Attributes:
        system: all system prompts as paragraphs of one text; None when there are none.
        turns: the rest, at least one, with role `user` or `assistant`.
    """

    system: str | None
    turns: tuple[Message, ...]


def conversation(messages: Sequence[Message]) -> Conversation:
    """The messages with the system prompts apart.

    Raises:
        PermanentError: `invalid_request`; a role has no counterpart, or nothing is asked.
    """
    turns = tuple(message for message in messages if message.role not in _SYSTEM)
    strange = next((message.role for message in turns if message.role not in _TURNS), None)
    if strange is not None:
        raise PermanentError("invalid_request", f"this API has no role {strange[:40]!r}")
    if not turns:
        raise PermanentError("invalid_request", "there is no message beside the system prompt")
    system = [message.content for message in messages if message.role in _SYSTEM]
    return Conversation("\n\n".join(system) if system else None, turns)


def renamed(parameters: Mapping[str, object], names: Mapping[str, str]) -> dict[str, object]:
    """The parameters under an API's own names.

    Args:
        parameters: under shared or own names.
        names: shared name to own name.

    Raises:
        PermanentError: `invalid_request`; one parameter is given under two names.
    """
    own: dict[str, object] = {}
    for name, value in parameters.items():
        if names.get(name, name) in own:
            raise PermanentError("invalid_request", f"{name!r} is given under another name too")
        own[names.get(name, name)] = value
    return own


def as_list(stop: object) -> object:
    """Stop sequences as the list that most APIs want; one alone may come without it."""
    return [stop] if isinstance(stop, str) else stop


def wanted_schema(response_format: object) -> Mapping[str, object] | None:
    """The JSON Schema that the answer must meet; empty for any JSON, None for free text.

    Raises:
        PermanentError: `invalid_request`; it is no response format.
    """
    match response_format:
        case None | {"type": "text"}:
            return None
        case {"type": "json_object"}:
            return {}
        case {"type": "json_schema", "json_schema": {"schema": Mapping() as schema}}:
            return schema
        case _:
            allowed = "text, json_object or json_schema with a schema"
            raise PermanentError("invalid_request", f"response_format must be {allowed}")
