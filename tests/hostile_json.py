"""Values that are no text, or no JSON as RFC 8259 has it."""

from __future__ import annotations

import gzip

from streaming_eval.formats.reasons import DeadLetterReason as Reason
from tests.hostile_records import encoded, with_raw

Refused = dict[Reason, dict[str, bytes | None]]


def refused_bytes() -> Refused:
    """What fails before any JSON is read."""
    good = encoded()
    text = good.decode()
    return {
        Reason.TOMBSTONE: {"tombstone": None},
        Reason.EMPTY: {"no bytes": b""},
        Reason.BLANK: {"blanks": b"   ", "newlines": b"\n\r\n\t "},
        Reason.RECORD_TOO_LARGE: {
            "prompt of 2 MB": encoded(prompt="x" * 2_000_000),
            "response of 30 MB": encoded(response="x" * 30_000_000),
            "200,000 keys": with_raw("extra", _object_of(200_000)),
        },
        Reason.COMPRESSED: {
            "gzip": gzip.compress(good, mtime=0),
            "zstd": b"\x28\xb5\x2f\xfd\x24\x00" + good,
        },
        Reason.BYTE_ORDER_MARK: {"byte order mark": b"\xef\xbb\xbf" + good},
        Reason.UTF_16: {
            "UTF-16 with mark": text.encode("utf-16"),
            "UTF-16 little-endian": text.encode("utf-16-le"),
            "UTF-16 big-endian": text.encode("utf-16-be"),
            "UTF-32": text.encode("utf-32"),
            "UTF-32 big-endian": text.encode("utf-32-be"),
        },
        Reason.INVALID_UTF8: {
            "Latin-1": text.replace("France", "Françe ").encode("latin-1"),
            "overlong slash": with_raw("prompt", b'"\xc0\xaf"'),
            "surrogate as UTF-8": with_raw("prompt", b'"\xed\xa0\x80"'),
            "stray continuation in the id": with_raw("id", b'"a\x80b"'),
            "beyond Unicode": with_raw("response", b'"\xf4\x90\x80\x80"'),
        },
    }


def refused_json() -> Refused:
    """What is text but no strict JSON object."""
    good = encoded()
    return {
        Reason.TRUNCATED_JSON: {
            "half a record": good[: len(good) // 2],
            "all but the last byte": good[:-1],
            "one brace": b"{",
            "cut within a character": encoded(prompt="é")[: encoded(prompt="é").index(b"\xc3") + 1],
            "cut within an escape": with_raw("prompt", b'"\\u00e9').split(b"e9")[0],
        },
        Reason.MALFORMED_JSON: {
            "plain text": b"hello",
            "HTML": b"<html><body>502 Bad Gateway</body></html>",
            "CSV": b"id,time,model\n1,2025-03-01,assistant\n",
            "single quotes": b"{'id': 'a'}",
            "trailing comma": good[:-1] + b",}",
            "comment": good[:-1] + b"/* c */}",
            "missing colon": b'{"id" "a"}',
            "unknown escape": with_raw("prompt", b'"\\x41"'),
            "leading zero": with_raw("latency_ms", b"012"),
            "plus sign": with_raw("latency_ms", b"+12"),
            "hexadecimal": with_raw("latency_ms", b"0x1F"),
            "Python's None": with_raw("response", b"None"),
            "closing bracket first": b"]" + good,
        },
        Reason.TRAILING_DATA: {
            "two documents": good + good,
            "two lines": good + b"\n" + good,
            "brace too many": good + b"}",
            "NUL after the document": good + b"\x00",
            "word after the document": good + b" ok",
        },
        Reason.CONTROL_CHARACTER: {
            "raw NUL": with_raw("prompt", b'"a\x00b"'),
            "raw newline": with_raw("prompt", b'"a\nb"'),
            "raw tab in a key": good.replace(b'"tier"', b'"ti\ter"'),
            "NUL between tokens": good.replace(b", ", b",\x00", 1),
            "NULs only": b"\x00\x00\x00",
            "schema registry prefix": b"\x00\x00\x00\x00\x07" + good,
        },
        Reason.LONE_SURROGATE: {
            "high": with_raw("prompt", b'"\\ud800"'),
            "low": with_raw("id", b'"\\uDFFF"'),
            "wrong order": with_raw("response", b'"\\ude00\\ud83d"'),
            "in a segment": with_raw("segments", b'{"tier": "\\uD83D"}'),
            "in a key": with_raw("extra", b'{"\\udc00": 1}'),
        },
        Reason.DUPLICATE_KEY: {
            "id": good[:-1] + b', "id": "other"}',
            "same value": good[:-1] + b', "model": "assistant"}',
            "segment": with_raw("segments", b'{"tier": "free", "tier": "pro"}'),
            "behind an escape": good[:-1] + b', "i\\u0064": "other"}',
            "in a message": with_raw("extra", b'[{"role": "user", "role": "user"}]'),
            "in an unknown field": with_raw("extra", b'{"a": {"b": 1, "b": 1}}'),
        },
        Reason.KEY_TOO_LONG: {
            "key of 200 kB": with_raw("extra", b'{"%s": 1}' % (b"k" * 200_000)),
            "key of 257 characters": with_raw("extra", b'{"%s": 1}' % (b"k" * 257)),
        },
        Reason.TOO_MANY_KEYS: {
            "60,000 keys": with_raw("extra", _object_of(60_000)),
            "10,000 segments": with_raw("segments", _object_of(10_000)),
            "2,000 fields": good[:-1] + b", " + _object_of(2_000)[1:],
        },
        Reason.TOO_DEEP: {
            "66 levels": _nested(65, b"[", b"]"),
            "1,500 arrays": _nested(1_500, b"[", b"]"),
            "1,500 objects": _nested(1_500, b'{"a":', b"}"),
            "100,000 arrays": _nested(100_000, b"[", b"]"),
            "100,000 brackets, never closed": b"[" * 100_000,
            "100,000 objects, never closed": b'{"a":' * 100_000,
        },
        Reason.NON_FINITE_NUMBER: {
            "NaN latency": with_raw("latency_ms", b"NaN"),
            "infinite latency": with_raw("latency_ms", b"Infinity"),
            "minus infinity": with_raw("sampling_fraction", b"-Infinity"),
            "NaN in an unknown field": with_raw("extra", b"[1, NaN]"),
        },
        Reason.NUMBER_OVERFLOW: {
            "1e999999": with_raw("latency_ms", b"1e999999"),
            "-1e400": with_raw("extra", b"-1e400"),
            "5,000 digits": with_raw("latency_ms", b"9" * 5_000),
            "minus 5,000 digits": with_raw("extra", b"-" + b"9" * 5_000),
            "5,000 digits and a fraction": with_raw("latency_ms", b"9" * 5_000 + b".5"),
        },
        Reason.NOT_AN_OBJECT: {
            "array": b"[" + good + b"]",
            "string": b'"' + b"hello" + b'"',
            "number": b"17",
            "null": b"null",
            "true": b"true",
        },
    }


def _object_of(keys: int) -> bytes:
    return b"{" + b",".join(b'"%d":"v"' % i for i in range(keys)) + b"}"


def _nested(depth: int, opening: bytes, closing: bytes) -> bytes:
    return with_raw("extra", opening * depth + b"1" + closing * depth)
