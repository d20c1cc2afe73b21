"""The record that the hostile ones are made from."""

from __future__ import annotations

import json
from types import EllipsisType

ID = "sample-00000000"
_GOOD: dict[str, object] = {
    "id": ID,
    "time": "2025-03-01T12:34:56.789Z",
    "model": "assistant",
    "prompt": "What is the capital of France?",
    "response": "It is Paris.",
    "target": ["Paris"],
    "segments": {"domain": "geography", "tier": "free"},
    "latency_ms": 123.5,
    "usage": {"input_tokens": 8, "output_tokens": 4},
}


def record(**changes: object) -> dict[str, object]:
    """A good record with some fields set; `...` removes one."""
    merged = {**_GOOD, **changes}
    return {name: value for name, value in merged.items() if not isinstance(value, EllipsisType)}


def encoded(**changes: object) -> bytes:
    """The bytes of a `record`, as UTF-8 without escapes where JSON allows it."""
    return json.dumps(record(**changes), ensure_ascii=False).encode()


def with_raw(field: str, raw: bytes) -> bytes:
    """The bytes of a record in which one field's value is put in as it is, JSON or not."""
    return encoded(**{field: "@RAW@"}).replace(b'"@RAW@"', raw)
