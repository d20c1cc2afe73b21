"""Who of those who travelled together gets what: answers, failures, attempts, tokens."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.errors import PermanentError
from streaming_eval.inference.calls.joint_response import JointResponse
from streaming_eval.inference.complete import failed
from streaming_eval.records import Request, Response, Usage
from tests.inference.calls.coalescing import Embedder, Patience, asking, coalescing


@pytest.mark.parametrize(
    "reason",
    ["content_filter", "http_400", "http_413", "http_422", "larger_than_quota", "too_large"],
)
async def test_a_bad_input_fails_alone(reason: str) -> None:
    embedder = Embedder(bad="f", reason=reason)
    complete = coalescing(embedder, Patience(), max_inputs=8)
    responses = await asyncio.gather(*asking(complete, *"abcdefgh"))
    assert [response.text for response in responses] == [*"ABCDE", None, *"GH"]
    assert (responses[5].error, responses[5].error_detail) == (reason, "one of them")
    assert len(embedder.asked) == 7
    assert sum(response.attempts for response in responses) == 7


async def test_when_all_are_bad_each_is_told_so() -> None:
    embedder = Embedder(bad="abcd")
    responses = await asyncio.gather(
        *asking(coalescing(embedder, Patience(), max_inputs=4), *"abcd")
    )
    assert [response.error for response in responses] == ["http_400"] * 4
    assert sum(response.attempts for response in responses) == len(embedder.asked) == 7


@pytest.mark.parametrize("reason", ["http_401", "http_429", "http_503", "deadline", "timeout"])
async def test_a_failure_that_no_input_can_help_is_everybodys(reason: str) -> None:
    embedder = Embedder(bad="b", reason=reason)
    responses = await asyncio.gather(
        *asking(coalescing(embedder, Patience(), max_inputs=3), *"abc")
    )
    assert [response.error for response in responses] == [reason] * 3
    assert [response.attempts for response in responses] == [1, 0, 0]
    assert len(embedder.asked) == 1


async def test_an_input_without_an_answer_fails_alone() -> None:
    async def forgetful(asked: Request) -> Response:
        nothing = failed(PermanentError("no_vector", "no"))
        return JointResponse("", attempts=1, parts=(Response("A"), nothing))

    responses = await asyncio.gather(
        *asking(coalescing(forgetful, Patience(), max_inputs=2), *"ab")
    )
    assert [(r.text, r.error) for r in responses] == [("A", None), (None, "no_vector")]


async def test_what_is_known_of_the_request_is_known_of_each_answer() -> None:
    responses = await asyncio.gather(
        *asking(coalescing(Embedder(), Patience(), max_inputs=2), "a", "bcd")
    )
    assert [r.usage for r in responses] == [Usage(1, None), Usage(3, None)]
    assert [(r.latency_ms, r.created_ms, r.attempts) for r in responses] == [
        (5.0, 9, 1),
        (5.0, 9, 0),
    ]
    assert {type(r) for r in responses} == {Response}


@given(
    lengths=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=9),
    used=st.tuples(*[st.none() | st.integers(0, 10_000)] * 2),
)
def test_no_token_is_lost_in_dividing(
    lengths: list[tuple[int, int]], used: tuple[int | None, int | None]
) -> None:
    async def answering(asked: Request) -> Response:
        parts = tuple(Response("x" * said) for _, said in lengths)
        return JointResponse("", usage=Usage(*used), attempts=1, parts=parts)

    async def ask() -> list[Response]:
        complete = coalescing(answering, Patience(), max_inputs=len(lengths), max_chars=10**6)
        return await asyncio.gather(*asking(complete, *("x" * asked for asked, _ in lengths)))

    usages = [response.usage for response in asyncio.run(ask())]
    for total, shares in zip(
        used, zip(*((u.input_tokens, u.output_tokens) for u in usages), strict=True), strict=True
    ):
        assert (sum(shares) if total is not None else set(shares)) == (
            total if total is not None else {None}
        )
        assert all(share is None or share >= 0 for share in shares)


async def test_a_bug_reaches_everybody() -> None:
    async def broken(asked: Request) -> Response:
        raise OSError("disk full")

    found = await asyncio.gather(
        *asking(coalescing(broken, Patience(), max_inputs=2), *"ab"), return_exceptions=True
    )
    assert [str(error) for error in found] == ["disk full"] * 2


async def test_an_api_that_answers_only_once_is_a_bug() -> None:
    async def single(asked: Request) -> Response:
        return Response("one")

    with pytest.raises(ValueError, match="each input"):
        await asyncio.gather(*asking(coalescing(single, Patience(), max_inputs=2), *"ab"))
