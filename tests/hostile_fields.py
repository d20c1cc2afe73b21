"""JSON objects that are no sample: a field is missing, of a wrong type or out of range."""

from __future__ import annotations

import json
from collections.abc import Mapping

from streaming_eval.formats.reasons import DeadLetterReason as Reason
from tests.hostile_json import Refused
from tests.hostile_records import encoded, with_raw

_WRONG_TYPES: dict[str, list[object]] = {
    "id": [7, ["a"], {"a": "b"}, True],
    "time": [1740832496789, 1740832496.789, ["2025-03-01T12:34:56Z"], False],
    "model": [1, {}],
    "prompt": [5, ["What?"], {"text": "What?"}],
    "response": [1.5, ["a"], {"text": "a"}, True],
    "target": [1, {"a": "b"}, ["a", 2], [None], [["a"]], True],
    "context": [["a"], 3],
    "segments": [["tier", "pro"], "tier=pro", {"tier": 1}, {"tier": None}, {"tier": {}}],
    "conversation_id": [1, []],
    "trace_id": [1, {}],
    "sampling_fraction": ["0.5", True, [0.5]],
    "latency_ms": ["12", True, {}],
    "usage": [5, "5", [], {"input_tokens": "5"}, {"input_tokens": 1.5}, {"output_tokens": True}],
}
_WRONG_MESSAGES: list[object] = [
    "What?",
    {"role": "user", "content": "a"},
    ["What?"],
    [{"role": "user"}],
    [{"content": "a"}],
    [{"role": "user", "content": None}],
    [{"role": "user", "content": [{"type": "text", "text": "a"}]}],
    [{"role": 1, "content": "a"}],
]
_NO_INSTANTS = [
    "yesterday", "1740832496", "2025-03-01", "2025-03-01T12:34:56", "2025-03-01 12:34:56Z",
    "2025-03-01T12:34Z", "20250301T123456Z", "2025-3-1T12:34:56Z", "2025-03-01T12:34:56+0100",
    "2025-03-01T12:34:56+01", "2025-03-01T12:34:56.Z", "2025-03-01T12:34:56,5Z",
    "2025-03-01T12:34:56 Z", " 2025-03-01T12:34:56Z", "2025-03-01T12:34:56Z\n",
    "2025-13-01T12:34:56Z", "2025-00-01T12:34:56Z", "2025-02-29T12:34:56Z", "2025-03-32T12:34:56Z",
    "2025-03-01T24:00:00Z", "2025-03-01T12:60:00Z", "2025-03-01T12:34:61Z",
    "2025-03-01T12:34:60Z", "2025-03-15T23:59:60Z", "2016-12-31T23:59:60+01:00",
    "2025-03-01T12:34:56+24:00", "2025-03-01T12:34:56+01:60", "12025-03-01T12:34:56Z",
    "-2025-03-01T12:34:56Z", "٢٠٢٥-٠٣-٠١T١٢:٣٤:٥٦Z", "0000-01-01T00:00:00Z",
]  # fmt: skip


def refused_fields() -> Refused:
    """One field wrong in an otherwise good record."""
    return {
        Reason.MISSING_FIELD: _set(
            {"no id": ("id", ...), "no time": ("time", ...), "no model": ("model", ...)}
            | {f"{name} is null": (name, None) for name in ("id", "time", "model")}
        )
        | {"nothing at all": b"{}"},
        Reason.WRONG_TYPE: _wrong_types(),
        Reason.EMPTY_FIELD: _set(
            {"empty id": ("id", ""), "blank id": ("id", " \t"), "empty time": ("time", "")}
            | {"blank model": ("model", "\u2003")}
        )
        | {"no messages": encoded(prompt=..., messages=[])},
        Reason.FIELD_TOO_LONG: _set(
            {
                f"{n} too long": (n, "i" * 257)
                for n in ("id", "model", "conversation_id", "trace_id")
            }
        ),
        Reason.INVALID_TIME: _set({f"time {t!r}": ("time", t) for t in _NO_INSTANTS}),
        Reason.TIME_OUT_OF_RANGE: _set(
            {
                "zero time of Go": ("time", "0001-01-01T00:00:00Z"),
                "last second of 1969": ("time", "1969-12-31T23:59:59.999Z"),
                "1970 in Berlin, 1969 in UTC": ("time", "1970-01-01T00:30:00+01:00"),
                "year 10000 in UTC": ("time", "9999-12-31T23:30:00-01:00"),
                "leap second after the last year": ("time", "9999-12-31T23:59:60Z"),
            }
        ),
        Reason.PROMPT_MISSING: {
            "neither": encoded(prompt=...),
            "both null": encoded(prompt=None, messages=None),
        },
        Reason.PROMPT_AMBIGUOUS: {
            "both": encoded(messages=[{"role": "user", "content": "a"}]),
            "both, one empty": encoded(prompt="", messages=[]),
        },
        Reason.TOO_MANY_MESSAGES: {
            "513 messages": encoded(prompt=..., messages=[{"role": "user", "content": "a"}] * 513)
        },
        Reason.UNKNOWN_ROLE: {
            f"role {role!r}": encoded(prompt=..., messages=[{"role": role, "content": "a"}])
            for role in ("", "human", "User", "user\n[end]")
        },
        Reason.TOO_MANY_SEGMENTS: _set(
            {"33 segments": ("segments", {f"s{i}": "v" for i in range(33)})}
        ),
        Reason.SEGMENT_TOO_LONG: _set(
            {
                "segment of 64 kB": ("segments", {"tier": "v" * 65_536}),
                "segment of 257 characters": ("segments", {"tier": "é" * 257}),
            }
        ),
        Reason.SAMPLING_FRACTION_OUT_OF_RANGE: _set(
            {f"fraction {f}": ("sampling_fraction", f) for f in (0, 0.0, -0.5, 1.0001, 2, 1e300)}
        )
        | {"fraction below the smallest double": with_raw("sampling_fraction", b"1e-999")},
        Reason.LATENCY_OUT_OF_RANGE: _set(
            {"negative latency": ("latency_ms", -1), "barely negative": ("latency_ms", -1e-300)}
        ),
        Reason.USAGE_OUT_OF_RANGE: _set(
            {
                "negative tokens": ("usage", {"input_tokens": -1}),
                "tokens beyond 2^53": ("usage", {"output_tokens": 2**53 + 1}),
                "tokens beyond int64": ("usage", {"output_tokens": 10**300}),
            }
        ),
    }


def _set(changes: Mapping[str, tuple[str, object]]) -> dict[str, bytes | None]:
    return {name: encoded(**{field: value}) for name, (field, value) in changes.items()}


def _wrong_types() -> dict[str, bytes | None]:
    fields = {
        f"{field} is {json.dumps(value)}": (field, value)
        for field, values in _WRONG_TYPES.items()
        for value in values
    }
    messages = {
        f"messages is {json.dumps(value)}": encoded(prompt=..., messages=value)
        for value in _WRONG_MESSAGES
    }
    return _set(fields) | messages
