"""The address of a request, against its specification and a second implementation of it."""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streaming_eval.errors import PermanentError
from streaming_eval.inference.cache.cache_key import addressed, cache_key, canonical
from streaming_eval.records import Message, Request
from tests.inference.cache.plain_cache_key import plain_canonical, plain_key
from tests.inference.requests import as_json, from_json, request

VECTORS = json.loads(Path(__file__).with_name("cache_key_vectors.json").read_text())
SPECIFICATION = Path(__file__).parents[3] / "docs" / "cache-key.md"

RFC_8785_NUMBERS = {  # its appendix B, but for those that have no key
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(-(2.0**53) + 1, 2.0**53 - 1)
    | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=12,
)
_REQUESTS = st.builds(
    Request,
    endpoint=_TEXT,
    api=_TEXT,
    model=_TEXT,
    messages=st.lists(st.builds(Message, _TEXT, _TEXT), max_size=3).map(tuple),
    parameters=st.dictionaries(_TEXT, _JSON, max_size=4),
    revision=_TEXT,
    sample_index=st.integers(0, 1000),
)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_every_published_vector_holds(vector: dict[str, Any]) -> None:
    asked = from_json(vector["request"])
    assert canonical(asked).decode() == vector["canonical"]
    assert cache_key(asked) == vector["cache_key"]
    assert hashlib.sha256(vector["canonical"].encode()).hexdigest() == vector["cache_key"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_second_implementation_agrees_on_every_vector(vector: dict[str, Any]) -> None:
    assert plain_canonical(vector["request"]) == vector["canonical"]
    assert plain_key(vector["request"]) == vector["cache_key"]


def test_the_specification_shows_a_vector() -> None:
    text = SPECIFICATION.read_text()
    assert VECTORS[0]["canonical"] in text
    assert VECTORS[0]["cache_key"] in text


@given(_REQUESTS)
@example(request(parameters={"next to a power of two": 2.0**-24}))
def test_a_second_implementation_agrees_on_any_request(asked: Request) -> None:
    assert canonical(asked).decode() == plain_canonical(as_json(asked))


@given(_REQUESTS)
def test_the_canonical_text_read_back_has_the_same_canonical_text(asked: Request) -> None:
    document = json.loads(canonical(asked))
    assert document.pop("format") == 1
    assert canonical(from_json(document)) == canonical(asked)


@pytest.mark.parametrize(("bits", "expected"), RFC_8785_NUMBERS.items())
def test_numbers_look_as_in_the_appendix_of_rfc_8785(bits: str, expected: str) -> None:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    text = canonical(request(parameters={"x": number})).decode()
    assert f'"parameters":{{"x":{expected}}}' in text


def test_the_order_of_parameters_does_not_matter() -> None:
    one = request(parameters={"top_p": 1, "logit_bias": {"b": 1, "a": 2}})
    other = request(parameters={"logit_bias": {"a": 2, "b": 1}, "top_p": 1})
    assert cache_key(one) == cache_key(other)


@pytest.mark.parametrize(
    "change",
    [
        {"endpoint": "http://127.0.0.1:8000/v2"},
        {"api": "anthropic_messages"},
        {"model": "llama-2-13b"},
        {"revision": "1"},
        {"sample_index": 1},
        {"parameters": {}},
        {"parameters": {"temperature": 0.1}},
        {"parameters": {"temperature": "0"}},
        {"parameters": {"temperature": False}},
        {"parameters": {"temperature": None}},
        {"parameters": {"temperature": 0, "stop": []}},
        {"messages": (Message("user", "Why? "),)},
        {"messages": (Message("user", "why?"),)},
        {"messages": (Message("system", "Why?"),)},
        {"messages": (Message("user", "Why?"), Message("user", ""))},
        {"messages": (Message("user", 'Why?"},{"content":"","role":"user'),)},
    ],
    ids=str,
)
def test_whatever_can_change_the_answer_changes_the_key(change: dict[str, Any]) -> None:
    assert cache_key(replace(request(), **change)) != cache_key(request())


def test_five_thousand_near_collisions_have_as_many_keys() -> None:
    letters = "aA \t\n\u00a0\u0430\u200b.e\u0301é"
    questions = {
        "a" * left + letter + "a" * (24 - left) for left in range(25) for letter in letters
    }
    splits = {(q[:cut], q[cut:]) for q in questions for cut in range(0, 25, 2)}
    asked = [
        request(messages=(Message("user", one), Message("user", two))) for one, two in splits
    ] + [request(two, model=one) for one, two in splits]
    assert len(asked) > 5_000
    assert len({cache_key(each) for each in asked}) == len(asked)


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        [1, {"deep": float("-inf")}],
        2**53,
        -(2.0**53),
        1e300,
        {1, 2},
        b"bytes",
        "\ud800",
        {"\udfff": 1, "a": 2},
        {1: "one", 2: "two"},
        {1: "one"},
        object(),
    ],
    ids=repr,
)
def test_what_json_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(PermanentError) as caught:
        canonical(request(parameters={"x": value}))
    assert caught.value.reason == "invalid_request"


def test_a_lone_surrogate_in_a_message_is_refused() -> None:
    with pytest.raises(PermanentError):
        cache_key(request("\udc00"))


@given(_REQUESTS)
def test_the_key_that_a_request_keeps_is_its_own_and_a_changed_copy_has_another(
    asked: Request,
) -> None:
    plain = replace(asked)
    assert addressed(asked) == addressed(asked) == (plain_key(as_json(asked)), canonical(asked))
    changed = replace(asked, sample_index=asked.sample_index + 1)
    assert cache_key(changed) == plain_key(as_json(changed)) != cache_key(asked)
    assert asked == plain, "the kept key is no part of the request"
