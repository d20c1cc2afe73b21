"""What one attempt does with its permit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from streaming_eval.errors import InferenceError, PermanentError, RetryableError
from streaming_eval.inference.quota.permit_pool import Permit
from streaming_eval.inference.quota.token_estimate import TokenEstimate
from streaming_eval.inference.quota.with_quota import with_quota
from streaming_eval.records import Message, Request, Response, Usage
from tests.inference.calls.scripted import HeldSend, ScriptedSend, answer, settle
from tests.inference.requests import request

ASKED = request("x" * 96, parameters={"max_tokens": 70})


class Book:
    """Leases that grant everything, at once or after a wait, and note what they are told."""

    def __init__(self, at_hand: bool = True) -> None:
        self._at_hand = at_hand
        self.release = asyncio.Event()
        self.told: list[object] = []

    def take_now(self, model: str, tokens: int) -> Permit | None:
        if not self._at_hand:
            return None
        self.told.append(("take", model, tokens))
        return Permit(0, tokens, tokens)

    async def take(self, model: str, tokens: Callable[[], int]) -> Permit:
        await self.release.wait()
        self.told.append(("take", model, tokens()))
        return Permit(0, tokens(), tokens())

    def answered(self, permit: Permit, tokens: int | None) -> None:
        self.told.append(("answered", tokens))

    def failed(self, permit: Permit) -> None:
        self.told.append("failed")

    def refused(self, permit: Permit, pause_s: float | None) -> None:
        self.told.append(("refused", pause_s))


async def test_an_answer_is_passed_on_and_its_tokens_are_told() -> None:
    book, good = Book(), Response("Because.", usage=Usage(20, 7))
    send = with_quota(ScriptedSend(good), book, estimate=TokenEstimate(), most_tokens=1_000)
    assert await send(ASKED) is good
    assert book.told == [("take", "llama-2-7b", 100), ("answered", 27)]


async def test_where_tokens_do_not_count_none_are_estimated() -> None:
    book = Book()
    await with_quota(ScriptedSend(answer()), book)(ASKED)
    assert book.told == [("take", "llama-2-7b", 0), ("answered", None)]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RetryableError("http_429", ""), ("refused", None)),
        (RetryableError("http_429", "", 7.0), ("refused", 7.0)),
        (RetryableError("http_529", ""), ("refused", None)),
        (RetryableError("http_503", "", 3.0), ("refused", 3.0)),
        (RetryableError("http_503", ""), "failed"),
        (RetryableError("timeout", ""), "failed"),
        (PermanentError("http_400", ""), "failed"),
    ],
)
async def test_a_failure_is_told_and_passed_on(error: InferenceError, told: object) -> None:
    book = Book()
    with pytest.raises(type(error)) as caught:
        await with_quota(ScriptedSend(error), book)(ASKED)
    assert caught.value is error
    assert book.told[1:] == [told]


async def test_each_attempt_takes_a_permit_of_its_own() -> None:
    book = Book()
    send = with_quota(ScriptedSend(RetryableError("timeout", ""), answer()), book)
    with pytest.raises(RetryableError):
        await send(ASKED)
    await send(ASKED)
    assert [told[0] for told in book.told if isinstance(told, tuple)] == [
        "take",
        "take",
        "answered",
    ]


async def test_an_attempt_cut_short_has_spent_its_permit() -> None:
    book = Book()
    task = asyncio.ensure_future(with_quota(HeldSend(), book)(ASKED))
    await settle()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert book.told[1:] == ["failed"]


async def test_a_request_larger_than_the_quota_fails_at_once() -> None:
    book, send = Book(), ScriptedSend(answer())
    with pytest.raises(PermanentError) as caught:
        await with_quota(send, book, estimate=TokenEstimate(), most_tokens=99)(ASKED)
    assert caught.value.reason == "larger_than_quota"
    assert caught.value.message == (
        "the request takes about 100 tokens, the quota is 99 per minute"
    )
    assert (send.asked, book.told) == ([], [])


async def test_only_the_wait_for_the_permit_is_marked_as_waiting() -> None:
    marks: list[str] = []

    @contextmanager
    def waiting() -> Iterator[None]:
        marks.append("waits")
        yield
        marks.append("goes on")

    async def send(_: Request) -> Response:
        marks.append("sent")
        return answer()

    book = Book(at_hand=False)
    task = asyncio.ensure_future(with_quota(send, book, waiting=waiting)(ASKED))
    await settle()
    assert marks == ["waits"]
    book.release.set()
    await task
    assert marks == ["waits", "goes on", "sent"]
    await with_quota(send, Book(), waiting=waiting)(ASKED)
    assert marks == ["waits", "goes on", "sent", "sent"], "nobody waits for what is at hand"


async def test_what_a_waiting_request_needs_follows_what_was_learnt_meanwhile() -> None:
    book, estimate = Book(at_hand=False), TokenEstimate()
    task = asyncio.ensure_future(with_quota(ScriptedSend(answer()), book, estimate=estimate)(ASKED))
    await settle()
    estimate.learn(ASKED, Usage(50, 5))
    book.release.set()
    await task
    assert book.told[0] == ("take", "llama-2-7b", 55)


def test_before_any_answer_the_limit_of_the_output_is_reserved() -> None:
    assert TokenEstimate().of(ASKED) == 30 + 70
    assert TokenEstimate().of(request("x" * 96)) == 30 + 256


def test_the_estimate_follows_what_requests_took() -> None:
    estimate = TokenEstimate()
    for _ in range(200):
        estimate.learn(ASKED, Usage(50, 12))
    assert estimate.of(ASKED) == pytest.approx(62, abs=1)
    assert estimate.of(request("x" * 196, parameters={"max_tokens": 5})) == pytest.approx(
        105, abs=1
    )
    assert estimate.of(request("x" * 96, model="another")) == 30 + 256, "each model by itself"


def test_a_vector_has_no_output() -> None:
    estimate = TokenEstimate(outputs=lambda _: 0)
    assert estimate.of(ASKED) == 30
    assert estimate.learn(ASKED, Usage(20, 0)) == 20
    assert estimate.of(ASKED) == 20


def test_where_each_message_is_answered_each_has_an_output() -> None:
    estimate = TokenEstimate(outputs=lambda request: len(request.messages))
    both = request(messages=(Message("user", "x" * 96),) * 2, parameters={"max_tokens": 70})
    assert estimate.of(both) == 2 * (30 + 70)
    assert estimate.learn(both, Usage(60, 20)) == 80
    assert estimate.of(both) == 60 + 2 * 10
    one = request("x" * 96)
    assert estimate.of(one) == 30 + 10


def test_a_provider_that_counts_the_whole_limit_is_believed() -> None:
    estimate = TokenEstimate(reserve_max_tokens=True)
    estimate.learn(ASKED, Usage(30, 1))
    assert estimate.of(ASKED) == 30 + 70


@pytest.mark.parametrize("usage", [Usage(), Usage(5, None), Usage(None, 5)])
def test_an_answer_that_does_not_tell_teaches_nothing(usage: Usage) -> None:
    estimate = TokenEstimate()
    assert estimate.learn(ASKED, usage) is None
    assert estimate.of(ASKED) == 100


@pytest.mark.parametrize("limit", ["70", -1, True, None, 1.5])
def test_a_limit_that_is_no_count_is_no_limit(limit: object) -> None:
    asked = request("x" * 96, parameters={"max_tokens": limit})
    assert TokenEstimate().of(asked) == 30 + 256


def test_an_empty_request_still_counts() -> None:
    empty = request(messages=(Message("user", ""),), parameters={"max_tokens": 0})
    assert TokenEstimate().of(empty) >= 1
    assert TokenEstimate().learn(request(messages=()), Usage(0, 0)) == 0
