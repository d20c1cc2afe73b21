"""Vectors: how they are asked for, matched and stored; the rest is in `test_model_apis`."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.errors import PermanentError
from streaming_eval.inference.calls.joint_response import JointResponse
from streaming_eval.records import Message, Request, Response, Usage
from tests.adapters.api_cases import answer_to, calling, packed, vectors
from tests.adapters.loopback import always, http
from tests.inference.requests import request

API = "openai_embeddings"
NAN, INFINITY = float("nan"), float("inf")


def inputs(*texts: str, **parameters: object) -> Request:
    """One request for the vectors of several texts."""
    return request(messages=tuple(Message("user", text) for text in texts), parameters=parameters)


def item(index: object, *numbers: float) -> dict[str, Any]:
    return {"index": index, "embedding": list(numbers)}


async def parts(*data: object, n: int = 2) -> list[tuple[str | None, str | None]]:
    """Text and error of each of the `n` answers in a reply."""
    reply = await answer_to(API, always(http({"data": data})), inputs(*"abc"[:n]))
    assert isinstance(reply, JointResponse)
    return [(part.text, part.error) for part in reply.parts]


async def test_all_inputs_go_out_in_one_request() -> None:
    async with calling(API, always(http(vectors([1.0], [2.0])))) as (api, server):
        asked = inputs("Why?", "Où? 🤔", dimensions=1)
        await api.send(replace(asked, endpoint=server.base_url))
    assert orjson.loads(server.received[0].body) == {
        "model": "llama-2-7b",
        "input": ["Why?", "Où? 🤔"],
        "encoding_format": "base64",
        "dimensions": 1,
    }


async def test_another_encoding_may_be_asked_for() -> None:
    async with calling(API, always(http(vectors([1.0])))) as (api, server):
        asked = inputs("Why?", encoding_format="float")
        await api.send(replace(asked, endpoint=server.base_url))
    assert orjson.loads(server.received[0].body)["encoding_format"] == "float"


@pytest.mark.parametrize("embedding", [packed(0.1, -2.0), [0.1, -2], [0.10000000149011612, -2.0]])
async def test_a_vector_is_stored_as_json_in_single_precision(embedding: object) -> None:
    response = await answer_to(API, always(http(vectors(embedding))))
    assert (response.text, response.usage) == ("[0.1,-2.0]", Usage(9, 3))
    assert type(response) is Response


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_no_bit_of_single_precision_is_lost(numbers: list[float]) -> None:
    form, reply = f"<{len(numbers)}f", vectors(packed(*numbers), numbers)
    joint = asyncio.run(answer_to(API, always(http(reply)), inputs("a", "b")))
    for text in (joint.text or "").split("\n"):
        assert struct.pack(form, *orjson.loads(text)) == struct.pack(form, *numbers)


async def test_vectors_are_matched_by_their_index() -> None:
    found = await parts(item(2, 3.0), item(0, 1.0), item(1, 2.0), n=3)
    assert found == [("[1.0]", None), ("[2.0]", None), ("[3.0]", None)]


async def test_without_an_index_the_place_counts() -> None:
    found = await parts({"embedding": [1.0]}, {"embedding": [2.0]})
    assert found == [("[1.0]", None), ("[2.0]", None)]


async def test_the_joint_answer_has_a_line_for_each_input() -> None:
    reply = await answer_to(API, always(http(vectors([1.0], None))), inputs("a", "b"))
    assert (reply.text, reply.usage) == ("[1.0]\nnull", Usage(9, 3))


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        [item(2, 2.0)],
        [item(-1, 2.0)],
        [item("1", 2.0)],
        [item(True, 2.0)],
        [item(1, 2.0), item(1, 3.0)],
        [item(1)],
        [{"index": 1}],
        *(
            [{"index": 1, "embedding": embedding}]
            for embedding in (
                None,
                [[2.0]],
                [[2.0], [3.0, 4.0]],
                ["2.0"],
                [True],
                [None, 1.0],
                [1e300],
                "",
                "AAA",
                "AAA=",
                "not base64!",
                f"!{packed(2.0)}",
                "ü",
                packed(NAN),
                packed(1.0, -INFINITY),
            )
        ),
        ["[2.0]"],
        [None],
    ],
)
async def test_an_input_without_one_good_vector_fails_alone(wrong: list[object]) -> None:
    assert await parts(item(0, 1.0), *wrong) == [("[1.0]", None), (None, "no_vector")]


async def test_a_single_input_without_a_vector_fails_the_call() -> None:
    with pytest.raises(PermanentError) as caught:
        await answer_to(API, always(http({"data": [item(1, 1.0)]})), inputs("a"))
    assert caught.value.reason == "no_vector"
