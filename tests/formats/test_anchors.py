"""A file of anchors: what is read, and what is refused with its line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streaming_eval.formats.anchors import KEYS, MOST_ANCHORS, anchors_hash, parse_anchors
from streaming_eval.records import Message


def line(name: str = "a1", grade: object = 2, **fields: object) -> bytes:
    given: dict[str, Any] = {"id": name, "prompt": "Why?", "response": "Because.", "grade": grade}
    return json.dumps(given | fields).encode()


def test_an_anchor_is_a_sample_with_a_response_and_the_grade_of_people() -> None:
    talk = [{"role": "user", "content": "Hi"}, {"role": "user", "content": "Why?"}]
    rich = line(prompt=None, messages=talk, target=["So", " "], context="Of course.", grade=3)
    (anchor,) = parse_anchors(rich, 1, 3)
    assert anchor.sample.messages == (Message("user", "Hi"), Message("user", "Why?"))
    assert (anchor.sample.targets, anchor.sample.context) == (("So",), "Of course.")
    assert (anchor.sample.id, anchor.response, anchor.grade) == ("a1", "Because.", 3)


def test_order_spelling_and_empty_lines_of_the_file_do_not_matter() -> None:
    one, two = line("a"), line("b", grade=1)
    spelled = json.dumps(json.loads(two), indent=None, separators=(" ,  ", " : ")).encode()
    first = parse_anchors(one + b"\n" + two, 1, 3)
    assert parse_anchors(b"\n" + spelled + b"\r\n\n" + one + b"\n", 1, 3) == first
    other = parse_anchors(one + b"\n" + line("b", grade=2), 1, 3)
    assert anchors_hash(other) != anchors_hash(first) == anchors_hash(first[:])


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (b"{", "no JSON"),
        (b"[]", "not an object"),
        (line("b", grade=4), "field `grade`: got 4; allowed: whole numbers from 1 to 3"),
        (line("b", grade=2.0), "field `grade`: got 2.0; allowed: whole numbers from 1 to 3"),
        (line("b", grade=True), "field `grade`: got True; allowed"),
        (line("b", grade=None), "field `grade`: got nothing; allowed"),
        (line("b", response=None), "field `response` is missing"),
        (line("b", response=" "), "field `response` is empty"),
        (line("b", prompt=None), "one of `prompt` and `messages` is required"),
        (line("b", label=1), f"'label' is no key of an anchor; allowed: {', '.join(KEYS)}"),
        (line("a1"), "the id is that of an earlier line; allowed: new ids"),
        (b'{"id": "b", "id": "c"}', "one key twice"),
        (b"\xff", "UTF-8"),
    ],
)
def test_a_line_that_is_no_anchor_is_refused_with_its_number_and_what_is_allowed(
    second: bytes, said: str
) -> None:
    with pytest.raises(ValueError, match=r"^line 3: ") as refused:
        parse_anchors(line() + b"\n\n" + second, 1, 3)
    assert said in str(refused.value)


def test_a_file_without_anchors_or_with_too_many_is_refused() -> None:
    with pytest.raises(ValueError, match="got 0 anchors; allowed: 1 to 10000"):
        parse_anchors(b"\n \n", 1, 3)
    many = b"\n".join(line(f"a{n}") for n in range(MOST_ANCHORS + 1))
    with pytest.raises(ValueError, match="got 10001 anchors"):
        parse_anchors(many, 1, 3)
