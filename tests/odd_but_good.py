"""Records that look like trouble and must be scored all the same."""

from __future__ import annotations

import json

from tests.hostile_records import encoded, record, with_raw

_TEMPLATES = [
    "$1", r"\1", r"\g<0>", "${jndi:ldap://x}", "{{ prompt }}", "{}", "{0}", "%s", "%(id)s",
    "{% raw %}", "<%= 7 * 7 %>", "`id`", "$(id)", "'; DROP TABLE scores; --", "=1+1", "\\", '"',
]  # fmt: skip
_SEGMENTS = {
    "newline": "a\nb",
    "quote": 'a"b',
    "backslash": "a\\b",
    "brace and comma": '{model="x"},',
    "pipe": "a|b\\p",
    "name of a label": "__name__",
    "our own names": "__all__",
    "unicode twin": "frее",  # with two Cyrillic letters
    "composed": "é",
    "decomposed": "e\u0301",
    "invisible": "fr\u200bee\u202e",
    "escaped NUL": "a\x00b",
    "empty": "",
    "longest": "v" * 256,
}


def odd_but_good() -> dict[str, bytes | None]:
    """Name to value; each is a sample under the default limits."""
    return _texts() | _segments() | _times() | _shapes()


def _texts() -> dict[str, bytes | None]:
    cases: dict[str, bytes | None] = {
        f"template {t}": encoded(prompt=f"What is {t}?", response=t, target=t) for t in _TEMPLATES
    }
    return cases | {
        "escaped emoji": json.dumps(record(prompt="😀 ü")).encode(),
        "raw emoji": encoded(prompt="😀 ü \u2028"),
        "escaped NUL": encoded(prompt="a\x00b"),
        "escape that only looks like a surrogate": with_raw("prompt", b'"\\\\ud800"'),
        "right to left": encoded(prompt="\u202eabc", response="שלום"),
        "900 kB prompt": encoded(prompt="x" * 890_000),
        "brackets in text": encoded(prompt="[{" * 5_000, response='\\"[['),
        "empty response": encoded(response=""),
        "empty prompt": encoded(prompt=""),
        "blank targets": encoded(target=["", " "]),
    }


def _segments() -> dict[str, bytes | None]:
    values: dict[str, bytes | None] = {
        f"segment value: {name}": encoded(segments={"tier": value})
        for name, value in _SEGMENTS.items()
    }
    names: dict[str, bytes | None] = {
        f"segment name: {name}": encoded(segments={value: "free"})
        for name, value in _SEGMENTS.items()
    }
    return values | names | {"32 segments": encoded(segments={f"s{i}": "v" for i in range(32)})}


def _times() -> dict[str, bytes | None]:
    times = [
        "1970-01-01T00:00:00Z", "2262-04-11T23:47:16.854Z", "2262-12-31T23:59:59Z",
        "9999-12-31T23:59:59.999Z", "2016-12-31T23:59:60Z", "2016-12-31T23:59:60.999Z",
        "2017-01-01T05:29:60+05:30", "2025-03-01t12:34:56z", "2025-03-01T12:34:56-00:00",
        "2025-03-01T12:34:56.123456789012345678+14:00", "2024-02-29T00:00:00-23:59",
        "2025-03-30T02:30:00+01:00",
    ]  # fmt: skip
    return {f"time {time}": encoded(time=time) for time in times}


def _shapes() -> dict[str, bytes | None]:
    turns = [{"role": role, "content": role} for role in ("system", "user", "assistant", "user")]
    optional = ("response", "target", "context", "segments", "conversation_id", "trace_id",
        "sampling_fraction", "latency_ms", "usage", "messages")  # fmt: skip
    return {
        "only what is required": encoded(**{name: ... for name in optional}),
        "null for all that is optional": encoded(**dict.fromkeys(optional)),
        "messages": encoded(prompt=..., messages=turns),
        "512 messages": encoded(prompt=..., messages=turns * 128),
        "unknown fields": encoded(extra={"a": [1, 2.5, None, True, {"b": "c"}]}, x=1),
        "64 levels": with_raw("extra", b"[" * 63 + b"]" * 63),
        "1,024 keys": with_raw("extra", json.dumps({str(i): i for i in range(1_024)}).encode()),
        "key of 256 characters": encoded(extra={"k" * 256: 1}),
        "300 digits": with_raw("extra", b"9" * 300),
        "number below the smallest double": with_raw("extra", b"1e-999999"),
        "minus zero": with_raw("latency_ms", b"-0.0"),
        "largest latency": with_raw("latency_ms", b"1e308"),
        "small fraction": encoded(sampling_fraction=1e-9),
        "whole fraction": encoded(sampling_fraction=1),
        "whole tokens written as a fraction": with_raw("usage", b'{"input_tokens": 5.0}'),
        "empty objects": encoded(segments={}, usage={}, target=[]),
        "white space around": b" \r\n\t" + encoded() + b"\n\n",
        "spread over lines": json.dumps(record(), indent=4).encode(),
    }
