"""The `native` record as a JSON Schema, for producers that check before they send."""

from __future__ import annotations

from streaming_eval.formats.limits import MAX_NAME_CHARS, Limits
from streaming_eval.formats.native import MAX_TOKENS, ROLES

Schema = dict[str, object]

_NOT_BLANK = r"\S"


def json_schema(limits: Limits) -> Schema:
    """The JSON Schema (draft 2020-12) of one record under these limits.

    It says all that a schema can say. Beyond it the parser refuses what is no strict JSON, days
    that do not exist and records over `max_record_bytes`.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "streaming-eval native sample",
        "description": "One production query, with the response the user saw where there was one.",
        "type": "object",
        "required": ["id", "time", "model"],
        "oneOf": [_present("prompt", "messages"), _present("messages", "prompt")],
        "properties": _properties(limits),
        "additionalProperties": True,
    }


def _properties(limits: Limits) -> Schema:
    tokens = _optional("integer", minimum=0, maximum=MAX_TOKENS)
    return {
        "id": _name("Unique per sample; a repeat is dropped."),
        "time": {
            "type": "string",
            "format": "date-time",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt]",
            "description": "When it happened: RFC 3339 with Z or an offset, years 1970 to 9999.",
        },
        "model": _name("What production calls the model that answered."),
        "prompt": _optional("string", description="A conversation of one user message."),
        "messages": _messages(limits),
        "response": _optional(
            "string", description="What the user saw; absent where only candidates are to answer."
        ),
        "target": {
            "type": ["string", "array", "null"],
            "items": {"type": "string"},
            "description": "Acceptable answer or answers; blank ones are ignored.",
        },
        "context": _optional("string", description="What the model was given to answer from."),
        "segments": _segments(limits),
        "conversation_id": _optional("string", maxLength=MAX_NAME_CHARS),
        "trace_id": _optional("string", maxLength=MAX_NAME_CHARS),
        "sampling_fraction": _optional(
            "number",
            exclusiveMinimum=0,
            maximum=1,
            description="Probability with which this sample was taken upstream; 1 when absent.",
        ),
        "latency_ms": _optional(
            "number", minimum=0, description="Of the response, in milliseconds."
        ),
        "usage": _optional("object", properties={"input_tokens": tokens, "output_tokens": tokens}),
    }


def _messages(limits: Limits) -> Schema:
    return _optional(
        "array",
        minItems=1,
        maxItems=limits.max_messages,
        items={
            "type": "object",
            "required": ["role", "content"],
            "properties": {
                "role": {"type": "string", "enum": list(ROLES)},
                "content": {"type": "string"},
            },
        },
        description="The conversation that was sent, oldest message first.",
    )


def _segments(limits: Limits) -> Schema:
    return _optional(
        "object",
        maxProperties=limits.max_segments,
        propertyNames={"maxLength": limits.max_segment_chars},
        additionalProperties={"type": "string", "maxLength": limits.max_segment_chars},
        description="Attributes to compare by; values off the configured list become __other__.",
    )


def _name(description: str) -> Schema:
    return {
        "type": "string",
        "pattern": _NOT_BLANK,
        "maxLength": MAX_NAME_CHARS,
        "description": description,
    }


def _optional(kind: str, **rules: object) -> Schema:
    return {"type": [kind, "null"], **rules}


def _present(name: str, absent: str) -> Schema:
    kinds = {"prompt": "string", "messages": "array"}
    return {
        "required": [name],
        "properties": {name: {"type": kinds[name]}, absent: {"type": "null"}},
    }
