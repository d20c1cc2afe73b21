"""The Messages API of Anthropic.

System prompts go into `system`. Of the parameters, `stop`, `max_completion_tokens` and
`response_format` (a schema, sent as `output_config`) are translated; all others are sent as they
are. The API demands `max_tokens`: where the parameters have none, it is `DEFAULT_MAX_TOKENS`.

Finish reasons are told in the words of OpenAI: `stop`, `length`, `tool_calls`, `refusal`. A refusal
is an answer, even without a word. Tokens read from and written to the prompt cache count as input.

Reasons of its own, beside those of `http_exchange` (status 529, overloaded, is `http_529` and may
be retried) and `json_api`: `empty_content`, `no_text`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from streaming_eval.adapters.common_words import as_list, conversation, renamed, wanted_schema
from streaming_eval.adapters.json_api import JsonApi
from streaming_eval.adapters.token_counts import usage_of
from streaming_eval.errors import PermanentError
from streaming_eval.records import Request, Response

DEFAULT_MAX_TOKENS = 4_096
"""What every model of the family can do. It is part of what a cached answer answers: whoever
changes it raises `cache_key.FORMAT`."""

_VERSION = "2023-06-01"
_OWN_NAMES = {"stop": "stop_sequences", "max_completion_tokens": "max_tokens"}
_FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
}
_MAY_BE_EMPTY = frozenset(("refusal", "stop_sequence"))
_INPUT = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


class AnthropicMessages(JsonApi):
    """`/messages`; by convention the base URL ends in `/v1`."""

    name = "anthropic_messages"
    answers = "content"
    key_header = "x-api-key"
    headers = MappingProxyType({"anthropic-version": _VERSION})
    passing_errors = frozenset(
        ("api_error", "overloaded_error", "rate_limit_error", "timeout_error")
    )

    def path(self, request: Request) -> str:
        return "/messages"

    def document(self, request: Request) -> Mapping[str, object]:
        asked = conversation(request.messages)
        turns = [{"role": turn.role, "content": turn.content} for turn in asked.turns]
        document = {**_parameters(request.parameters), "model": request.model, "messages": turns}
        if asked.system is not None:
            document["system"] = asked.system
        return document

    def read(self, request: Request, document: Mapping[str, Any]) -> Response:
        told = document.get("stop_reason")
        reason = told if isinstance(told, str) else None
        return Response(
            _text(document.get("content"), reason),
            finish_reason=_FINISH_REASONS.get(reason, reason) if reason else None,
            usage=usage_of(document.get("usage"), _INPUT, ("output_tokens",)),
        )


def _parameters(parameters: Mapping[str, object]) -> dict[str, object]:
    own = {"max_tokens": DEFAULT_MAX_TOKENS, **renamed(parameters, _OWN_NAMES)}
    if "stop_sequences" in own:
        own["stop_sequences"] = as_list(own["stop_sequences"])
    schema = wanted_schema(own.pop("response_format", None))
    if schema is None:
        return own
    if not schema:
        raise PermanentError("invalid_request", "this API writes JSON by a schema only; give one")
    config = own.get("output_config")
    format_ = {"type": "json_schema", "schema": schema}
    own["output_config"] = {**(config if isinstance(config, Mapping) else {}), "format": format_}
    return own


def _text(content: object, reason: str | None) -> str:
    """All text blocks joined; what else there is, thoughts or tool calls, is no text."""
    may_be_empty = reason in _MAY_BE_EMPTY
    if not isinstance(content, list) or not (content or may_be_empty):
        raise PermanentError("empty_content", "the reply holds no content")
    blocks = [block for block in content if isinstance(block, dict) and block.get("type") == "text"]
    texts = [text for block in blocks if isinstance(text := block.get("text"), str)]
    if not texts and not may_be_empty:
        raise PermanentError("no_text", "the content holds no text")
    return "".join(texts)
