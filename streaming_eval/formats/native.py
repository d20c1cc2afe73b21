"""The `native` record: the published JSON form of a sample (docs/sample-record.md)."""

from __future__ import annotations

from streaming_eval.formats.fields import (
    Fields,
    optional_list,
    optional_name,
    optional_number,
    optional_object,
    optional_text,
    required_name,
    required_text,
    wrong_type,
)
from streaming_eval.formats.limits import Limits
from streaming_eval.formats.reasons import DeadLetterReason as Reason
from streaming_eval.formats.reasons import rejected
from streaming_eval.formats.rfc3339 import epoch_ms
from streaming_eval.formats.strict_json import read_object
from streaming_eval.records import Message, Sample, Usage

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
MAX_TOKENS = 2**53  # whole numbers up to here survive every JSON implementation


def parse(value: bytes | None, limits: Limits) -> Sample:
    """The sample that a Kafka value describes.

    Args:
        value: the value as it lies in the topic; None is a tombstone.
        limits: what a record may be at most.

    Raises:
        RecordError: the value is no such record; nothing else is ever raised.
    """
    fields = read_object(value, limits.max_record_bytes)
    return Sample(
        id=required_name(fields, "id"),
        event_time_ms=epoch_ms(required_text(fields, "time")),
        model=required_name(fields, "model"),
        messages=conversation(fields, limits),
        response=optional_text(fields, "response"),
        targets=targets_of(fields),
        context=optional_text(fields, "context"),
        segments=_segments(fields, limits),
        conversation_id=optional_name(fields, "conversation_id"),
        trace_id=optional_name(fields, "trace_id"),
        sampling_fraction=_sampling_fraction(fields),
        latency_ms=_latency_ms(fields),
        usage=_usage(fields),
    )


def conversation(fields: Fields, limits: Limits) -> tuple[Message, ...]:
    """The messages of a record that has either `messages` or a `prompt`."""
    prompt = optional_text(fields, "prompt")
    messages = optional_list(fields, "messages")
    if messages is None:
        if prompt is None:
            raise rejected(Reason.PROMPT_MISSING, "one of `prompt` and `messages` is required")
        return (Message("user", prompt),)
    if prompt is not None:
        raise rejected(Reason.PROMPT_AMBIGUOUS, "`prompt` and `messages` exclude each other")
    if not messages:
        raise rejected(Reason.EMPTY_FIELD, "field `messages` is empty")
    if len(messages) > limits.max_messages:
        raise rejected(
            Reason.TOO_MANY_MESSAGES, f"{len(messages)} messages, over {limits.max_messages}"
        )
    return tuple(map(_message, messages))


def _message(message: object) -> Message:
    if not isinstance(message, dict):
        raise wrong_type("messages", "an array of objects")
    role, content = message.get("role"), message.get("content")
    if not isinstance(role, str) or not isinstance(content, str):
        raise wrong_type("messages", "an array of objects with strings `role` and `content`")
    if role not in ROLES:
        raise rejected(Reason.UNKNOWN_ROLE, f"a message's role must be one of {', '.join(ROLES)}")
    return Message(role, content)


def targets_of(fields: Fields) -> tuple[str, ...]:
    """The acceptable answers of a record; blank ones are passed over."""
    target = fields.get("target")
    if target is None:
        return ()
    given: list[object] = target if isinstance(target, list) else [target]
    targets = tuple(one for one in given if isinstance(one, str))
    if len(targets) != len(given):
        raise wrong_type("target", "a string or an array of strings")
    return tuple(one for one in targets if one and not one.isspace())


def _segments(fields: Fields, limits: Limits) -> dict[str, str]:
    segments = optional_object(fields, "segments")
    if not segments:
        return {}
    if len(segments) > limits.max_segments:
        raise rejected(
            Reason.TOO_MANY_SEGMENTS, f"{len(segments)} segments, over {limits.max_segments}"
        )
    return {name: _segment(name, value, limits) for name, value in segments.items()}


def _segment(name: str, value: object, limits: Limits) -> str:
    if not isinstance(value, str):
        raise wrong_type("segments", "an object of strings")
    longest = max(len(name), len(value))
    if longest > limits.max_segment_chars:
        raise rejected(
            Reason.SEGMENT_TOO_LONG, f"{longest} characters, over {limits.max_segment_chars}"
        )
    return value


def _sampling_fraction(fields: Fields) -> float:
    fraction = optional_number(fields, "sampling_fraction")
    if fraction is None:
        return 1.0
    if not 0.0 < fraction <= 1.0:
        raise rejected(
            Reason.SAMPLING_FRACTION_OUT_OF_RANGE, "`sampling_fraction` must lie in (0, 1]"
        )
    return fraction


def _latency_ms(fields: Fields) -> float | None:
    latency = optional_number(fields, "latency_ms")
    if latency is not None and latency < 0.0:
        raise rejected(Reason.LATENCY_OUT_OF_RANGE, "field `latency_ms` must not be negative")
    return latency


def _usage(fields: Fields) -> Usage:
    usage = optional_object(fields, "usage")
    if not usage:
        return Usage()
    return Usage(_tokens(usage, "input_tokens"), _tokens(usage, "output_tokens"))


def _tokens(usage: Fields, name: str) -> int | None:
    tokens = usage.get(name)
    if tokens is None:
        return None
    if isinstance(tokens, float) and tokens.is_integer():
        tokens = int(tokens)  # 5.0 is a whole number to JSON Schema
    if type(tokens) is not int:
        raise wrong_type(f"usage.{name}", "a whole number")
    if not 0 <= tokens <= MAX_TOKENS:
        raise rejected(Reason.USAGE_OUT_OF_RANGE, f"field `usage.{name}` must lie in [0, 2^53]")
    return tokens
