"""Anchors, one JSON object a line (docs/anchors.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from hashlib import sha256

from streaming_eval.errors import RecordError
from streaming_eval.formats.fields import Fields, optional_text, required_name, required_text
from streaming_eval.formats.limits import Limits
from streaming_eval.formats.native import conversation, targets_of
from streaming_eval.formats.strict_json import read_object
from streaming_eval.records import Anchor, Sample

KEYS = ("id", "prompt", "messages", "response", "target", "context", "grade")
MOST_ANCHORS = 10_000  # all of them travel to every worker
_LIMITS = Limits(
    max_record_bytes=1_048_576, max_segments=0, max_segment_chars=0, max_messages=1_000
)


def parse_anchors(text: bytes, low: int, high: int) -> tuple[Anchor, ...]:
    """The anchors of a file, by id; empty lines are passed over.

    Args:
        text: the whole file.
        low: the worst grade.
        high: the best grade.

    Raises:
        ValueError: the first thing that is wrong, with its line and what is allowed.
    """
    anchors: dict[str, Anchor] = {}
    for number, line in _lines(text):
        try:
            anchor = _anchor(read_object(line, _LIMITS.max_record_bytes), low, high)
        except RecordError as error:
            raise ValueError(f"line {number}: {error.message}") from None
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
        if anchor.sample.id in anchors:
            raise ValueError(f"line {number}: the id is that of an earlier line; allowed: new ids")
        anchors[anchor.sample.id] = anchor
    if not 1 <= len(anchors) <= MOST_ANCHORS:
        raise ValueError(f"got {len(anchors)} anchors; allowed: 1 to {MOST_ANCHORS}")
    return tuple(anchors[name] for name in sorted(anchors))


def anchors_hash(anchors: tuple[Anchor, ...]) -> str:
    """SHA-256 of what the anchors say, whatever the order and spelling of their file."""
    said = [asdict(anchor) for anchor in anchors]
    return sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _lines(text: bytes) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(text.split(b"\n"), 1):
        if line.strip():
            yield number, line


def _anchor(fields: Fields, low: int, high: int) -> Anchor:
    unknown = sorted(set(fields) - set(KEYS))
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no key of an anchor; allowed: {', '.join(KEYS)}")
    sample = Sample(
        id=required_name(fields, "id"),
        event_time_ms=0,
        model="",
        messages=conversation(fields, _LIMITS),
        targets=targets_of(fields),
        context=optional_text(fields, "context"),
    )
    return Anchor(sample, required_text(fields, "response"), _grade(fields, low, high))


def _grade(fields: Fields, low: int, high: int) -> int:
    grade = fields.get("grade")
    if type(grade) is int and low <= grade <= high:
        return grade
    got = "nothing" if grade is None else repr(grade)
    raise ValueError(f"field `grade`: got {got}; allowed: whole numbers from {low} to {high}")
