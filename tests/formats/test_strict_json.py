"""Strict reading against an independent reader: orjson, which keeps to RFC 8259 too."""

from __future__ import annotations

import re

import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streaming_eval.errors import RecordError
from streaming_eval.formats.reasons import DeadLetterReason
from streaming_eval.formats.strict_json import read_object
from tests.hostile_records import encoded

_GOOD = encoded(extra=[True, None, {"a": -1.5e-7, "b\\": "é😀\x01"}, 10**12])
_KEY = re.compile(rb'"(?:[^"\\]|\\.)*"\s*:')
_PIECES = [
    b"", b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"-", b".", b"e", b"0", b"1", b"\x00",
    b"\n", b" ", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\\ud800", b"\\ude00", b"NaN", b"Infinity",
    b"1e400", b"null", b'"id":1,', b'"id": "a", ', b"\xef\xbb\xbf", b"{}",
]  # fmt: skip
_EDITS = st.lists(
    st.tuples(
        st.integers(0, len(_GOOD)),
        st.integers(0, 3),
        st.sampled_from(_PIECES) | st.binary(max_size=3),
    ),
    min_size=1,
    max_size=4,
)


def read(value: bytes) -> dict[str, object] | None:
    try:
        return read_object(value, 100_000)
    except RecordError as error:
        assert error.reason in set(DeadLetterReason)
        return None


def oracle(value: bytes) -> dict[str, object] | None:
    """What orjson reads, unless an object has a key twice, which it does not notice."""
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    written = len(_KEY.findall(value))
    return document if isinstance(document, dict) and written == keys(document) else None


def keys(document: object) -> int:
    if isinstance(document, dict):
        return len(document) + sum(map(keys, document.values()))
    return sum(map(keys, document)) if isinstance(document, list) else 0


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_are_read_or_refused_as_by_the_oracle(value: bytes) -> None:
    assert read(value) == oracle(value)


@settings(max_examples=800, deadline=None)
@given(_EDITS)
@example([(1, 0, b'"id": "a", ')])
def test_a_damaged_record_is_read_or_refused_as_by_the_oracle(
    edits: list[tuple[int, int, bytes]],
) -> None:
    value = _GOOD
    for at, dropped, inserted in edits:
        value = value[:at] + inserted + value[at + dropped :]
    assert read(value) == oracle(value)


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(), _JSON, max_size=5))
def test_what_another_writer_wrote_is_read_back_exactly(document: dict[str, object]) -> None:
    assert read(orjson.dumps(document)) == document


@settings(deadline=None)
@given(st.integers(1, 200), st.sampled_from([b"[", b'{"a":']))
def test_depth_is_counted_outside_strings_only(depth: int, opening: bytes) -> None:
    closing = b"]" if opening == b"[" else b"}"
    nested = opening * depth + b'"[[[{{{\\"[[["' + closing * depth
    value = b'{"text": "' + b"[{" * 200 + b'", "x": ' + nested + b"}"
    assert (read(value) is not None) == (depth + 1 <= 64)
