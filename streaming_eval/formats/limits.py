"""What a record may be at most: those limits that an operator sets, and those that are fixed."""

from __future__ import annotations

from dataclasses import dataclass

MAX_DEPTH = 64
MAX_KEYS = 1_024  # of one object
MAX_KEY_CHARS = 256
MAX_NAME_CHARS = 256  # id, model, conversation_id, trace_id
MAX_NUMBER_CHARS = 308  # every whole number of so many digits is within binary64


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits an operator sets.

    Attributes:
        max_record_bytes: size of the whole value.
        max_segments: number of segments.
        max_segment_chars: length of a segment's name and of its value.
        max_messages: length of the conversation.
    """

    max_record_bytes: int
    max_segments: int
    max_segment_chars: int
    max_messages: int
