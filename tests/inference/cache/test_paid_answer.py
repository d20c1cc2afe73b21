"""The bytes of an answer: read back unchanged, or refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.errors import StorageError
from streaming_eval.inference.cache.cache_key import cache_key, canonical
from streaming_eval.inference.cache.paid_answer import PaidAnswer, decode, encode
from streaming_eval.records import Message, Response, Usage
from tests.inference.requests import request

_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
_COUNT = st.none() | st.integers(0, 10**6)


def paid(question: str = "Why?", text: str = "Because.") -> PaidAnswer:
    asked = request(question)
    response = Response(
        text,
        finish_reason="stop",
        usage=Usage(3, 5),
        latency_ms=51.25,
        created_ms=1_700_000_000_123,
        attempts=2,
    )
    return PaidAnswer(cache_key(asked), canonical(asked).decode(), response)


@given(
    question=_TEXT,
    text=_TEXT,
    reason=st.none() | _TEXT,
    usage=st.builds(Usage, _COUNT, _COUNT),
    latency_ms=st.none() | st.floats(0, 1e9),
)
def test_an_answer_is_read_back_unchanged(
    question: str, text: str, reason: str | None, usage: Usage, latency_ms: float | None
) -> None:
    asked = request(question, messages=(Message("system", text), Message("user", question)))
    response = Response(text, finish_reason=reason, usage=usage, latency_ms=latency_ms, attempts=1)
    answer = PaidAnswer(cache_key(asked), canonical(asked).decode(), response)
    assert decode(encode(answer)) == answer


def test_it_is_one_line_of_json_that_holds_the_canonical_request() -> None:
    answer = paid("first line\nsecond line", "a\r\nb")
    data = encode(answer)
    assert b"\n" not in data
    assert json.loads(data)["request"] == canonical(request("first line\nsecond line")).decode()
    assert json.loads(data)["response"]["text"] == "a\r\nb"


@pytest.mark.parametrize(
    "path",
    ["cache_key", "request", "response", "response.text"],
)
def test_an_answer_with_a_part_missing_is_refused(path: str) -> None:
    document = json.loads(encode(paid()))
    *parents, name = path.split(".")
    part = document
    for parent in parents:
        part = part[parent]
    del part[name]
    with pytest.raises(StorageError):
        decode(json.dumps(document).encode())


@pytest.mark.parametrize(
    ("name", "value"), [("endpoint", "http://elsewhere/v1"), ("sample_index", 1), ("messages", [])]
)
def test_the_answer_to_another_request_is_refused(name: str, value: object) -> None:
    document = json.loads(encode(paid()))
    asked = json.loads(document["request"])
    asked[name] = value
    document["request"] = json.dumps(asked)
    with pytest.raises(StorageError, match="belongs to another request"):
        decode(json.dumps(document).encode())


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b'"text"', b"{", b"\xff", b"1e999"])
def test_what_is_no_answer_is_refused(data: bytes) -> None:
    with pytest.raises(StorageError):
        decode(data)
