"""Why a record becomes a dead letter: a bounded set, a Prometheus label and a table column."""

from __future__ import annotations

from enum import StrEnum

from streaming_eval.errors import RecordError


class DeadLetterReason(StrEnum):
    """Every reason there is, from the bytes inwards; docs/sample-record.md explains each."""

    TOMBSTONE = "tombstone"
    EMPTY = "empty"
    BLANK = "blank"
    RECORD_TOO_LARGE = "record_too_large"
    COMPRESSED = "compressed"
    BYTE_ORDER_MARK = "byte_order_mark"
    UTF_16 = "utf_16"
    INVALID_UTF8 = "invalid_utf8"

    TRUNCATED_JSON = "truncated_json"
    MALFORMED_JSON = "malformed_json"
    TRAILING_DATA = "trailing_data"
    CONTROL_CHARACTER = "control_character"
    LONE_SURROGATE = "lone_surrogate"
    DUPLICATE_KEY = "duplicate_key"
    KEY_TOO_LONG = "key_too_long"
    TOO_MANY_KEYS = "too_many_keys"
    TOO_DEEP = "too_deep"
    NON_FINITE_NUMBER = "non_finite_number"
    NUMBER_OVERFLOW = "number_overflow"
    NOT_AN_OBJECT = "not_an_object"

    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    EMPTY_FIELD = "empty_field"
    FIELD_TOO_LONG = "field_too_long"
    INVALID_TIME = "invalid_time"
    TIME_OUT_OF_RANGE = "time_out_of_range"
    PROMPT_MISSING = "prompt_missing"
    PROMPT_AMBIGUOUS = "prompt_ambiguous"
    TOO_MANY_MESSAGES = "too_many_messages"
    UNKNOWN_ROLE = "unknown_role"
    TOO_MANY_SEGMENTS = "too_many_segments"
    SEGMENT_TOO_LONG = "segment_too_long"
    SAMPLING_FRACTION_OUT_OF_RANGE = "sampling_fraction_out_of_range"
    LATENCY_OUT_OF_RANGE = "latency_out_of_range"
    USAGE_OUT_OF_RANGE = "usage_out_of_range"


def rejected(reason: DeadLetterReason, message: str) -> RecordError:
    """The error to raise; the message says what is wrong and never quotes the record."""
    return RecordError(reason.value, message)
