"""When a call is made again, when it is not, and when it gives up. Time is a parameter."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from itertools import pairwise
from random import uniform

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.errors import InferenceError, PermanentError, RetryableError
from streaming_eval.inference.calls.retry import FIRST_BACKOFF_S, LONGEST_BACKOFF_S, with_retry
from streaming_eval.inference.calls.sent import in_line
from streaming_eval.inference.complete import Complete, Send
from streaming_eval.records import Request, Response
from tests.inference.calls.scripted import HeldSend, ManualTime, ScriptedSend, answer
from tests.inference.fake_endpoint import STUCK_S, FakeEndpoint, Reply, steady
from tests.inference.fake_loop import now_s, on_fake_time
from tests.inference.requests import request

BUSY = RetryableError("http_503", "overloaded")


def retried(
    send: Send,
    passing: ManualTime,
    *,
    max_attempts: int = 5,
    deadline_s: float = 120,
    random: float = 0.5,
) -> Complete:
    return with_retry(
        send,
        max_attempts=max_attempts,
        deadline_s=deadline_s,
        sleep=passing.sleep,
        random=lambda: random,
        clock=passing.clock,
    )


async def test_a_good_answer_is_passed_on_untouched() -> None:
    passing, good = ManualTime(), answer()
    assert await retried(ScriptedSend(good), passing)(request()) is good
    assert passing.slept_s == []


async def test_attempts_are_counted() -> None:
    send = ScriptedSend(BUSY, BUSY, answer())
    response = await retried(send, ManualTime())(request())
    assert (response.text, response.attempts, len(send.asked)) == ("Because.", 3, 3)


@pytest.mark.parametrize("reason", ["http_400", "http_401", "http_404", "bad_json", "redirect"])
async def test_a_permanent_error_is_never_repeated(reason: str) -> None:
    send = ScriptedSend(PermanentError(reason, "no"), answer())
    response = await retried(send, ManualTime())(request())
    assert (response.text, response.error, response.error_detail) == (None, reason, "no")
    assert (response.attempts, len(send.asked)) == (1, 1)


async def test_a_permanent_error_after_a_retry_counts_both() -> None:
    send = ScriptedSend(BUSY, PermanentError("http_400", "no"))
    response = await retried(send, ManualTime())(request())
    assert (response.error, response.attempts) == ("http_400", 2)


@pytest.mark.parametrize("max_attempts", [1, 2, 5])
async def test_the_last_reason_stands_when_attempts_run_out(max_attempts: int) -> None:
    passing = ManualTime()
    send = ScriptedSend(BUSY)
    response = await retried(send, passing, max_attempts=max_attempts)(request())
    assert (response.error, response.error_detail) == ("http_503", "overloaded")
    assert response.attempts == len(send.asked) == max_attempts
    assert len(passing.slept_s) == max_attempts - 1, "there is no pause after the last attempt"


async def test_pauses_double_up_to_the_longest() -> None:
    passing = ManualTime()
    await retried(ScriptedSend(BUSY), passing, max_attempts=12, deadline_s=1e6, random=1.0)(
        request()
    )
    assert passing.slept_s[0] == FIRST_BACKOFF_S
    assert all(b in (2 * a, LONGEST_BACKOFF_S) for a, b in pairwise(passing.slept_s))
    assert passing.slept_s[-1] == LONGEST_BACKOFF_S


async def test_jitter_takes_off_at_most_half() -> None:
    passing = ManualTime()
    await retried(ScriptedSend(BUSY), passing, max_attempts=2, random=0.0)(request())
    assert passing.slept_s == [FIRST_BACKOFF_S / 2]


@given(
    wishes_s=st.lists(st.none() | st.floats(0, 50), min_size=1, max_size=5),
    random=st.floats(0, 1, exclude_max=True),
    takes_s=st.floats(0, 30),
    deadline_s=st.floats(1, 300),
)
def test_nothing_is_sent_earlier_than_the_server_wished_nor_after_the_deadline(
    wishes_s: list[float | None], random: float, takes_s: float, deadline_s: float
) -> None:
    passing = ManualTime()
    errors = [RetryableError("http_429", "slow down", wish_s) for wish_s in wishes_s]
    send = ScriptedSend(*errors, time=passing, takes_s=takes_s)
    complete = retried(send, passing, max_attempts=6, deadline_s=deadline_s, random=random)
    response = asyncio.run(_run(complete))
    for (one_s, other_s), error in zip(pairwise(send.at_s), errors, strict=False):
        assert other_s - one_s >= takes_s + (error.retry_after_s or 0) - 1e-9
    assert send.at_s[-1] <= send.at_s[0] + deadline_s
    assert response.error in ("http_429", "deadline")
    assert response.attempts == len(send.asked)


async def _run(complete: Complete) -> Response:
    return await complete(request())


async def test_all_workers_do_not_come_back_in_the_same_moment() -> None:
    pauses = []
    for random in (0.0, 0.3, 0.9):
        passing = ManualTime()
        busy = RetryableError("http_429", "slow down", retry_after_s=7)
        await retried(ScriptedSend(busy), passing, max_attempts=2, random=random)(request())
        pauses += passing.slept_s
    assert len(set(pauses)) == 3
    assert min(pauses) >= 7


async def test_a_wish_beyond_the_deadline_ends_the_call_at_once() -> None:
    passing = ManualTime()
    send = ScriptedSend(RetryableError("http_429", "slow down", retry_after_s=1e9))
    response = await retried(send, passing)(request())
    assert (response.error, response.attempts, passing.slept_s) == ("deadline", 1, [])
    assert response.error_detail == "not answered within 120 s; last: http_429: slow down"


async def test_an_attempt_under_way_is_cut_off_at_the_deadline() -> None:
    send = HeldSend()
    started = time.monotonic()
    response = await retried(send, ManualTime(), deadline_s=0.05)(request())
    assert 0.05 <= time.monotonic() - started < 0.5
    assert (response.error, response.attempts, send.cancelled) == ("deadline", 1, 1)


async def test_cancelling_the_caller_cancels_the_attempt() -> None:
    send = HeldSend()
    task = asyncio.create_task(_run(retried(send, ManualTime())))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert send.cancelled == 1


@pytest.mark.parametrize("error", [ValueError("a bug"), InferenceError("strange", "neither kind")])
async def test_an_unexpected_error_is_not_hidden(error: Exception) -> None:
    send = HeldSend(error)
    send.release.set()
    with pytest.raises(type(error)):
        await retried(send, ManualTime())(request())


def permits(*waits_s: float) -> Callable[[Send], Send]:
    """A quota that lets attempts pass after such waits, and those after them never."""
    left = [*reversed(waits_s)]

    def around(send: Send) -> Send:
        async def permitted(asked: Request) -> Response:
            with in_line():
                await asyncio.sleep(left.pop() if left else STUCK_S)
            return await send(asked)

        return permitted

    return around


def on_loop_time(endpoint: FakeEndpoint, around: Callable[[Send], Send]) -> Complete:
    return with_retry(
        endpoint.send,
        max_attempts=5,
        deadline_s=10,
        sleep=asyncio.sleep,
        random=lambda: 0.5,
        clock=now_s,
        around=around,
    )


def test_waiting_in_line_is_not_charged_to_the_deadline() -> None:
    async def work() -> None:
        endpoint = FakeEndpoint(lambda n, _: Reply(2, BUSY if n < 2 else None))
        complete, began = on_loop_time(endpoint, permits(500, 600, 700)), now_s()
        assert (await complete(request())).attempts == 3
        assert now_s() - began == pytest.approx(3 * 2 + 0.375 + 0.75 + 1_800)

    on_fake_time(work())


def test_pauses_and_requests_are_charged_also_after_waiting_in_line() -> None:
    async def work() -> None:
        endpoint = FakeEndpoint(lambda *_: Reply(3, BUSY))
        complete, began = on_loop_time(endpoint, permits(500, 600, 700, 800)), now_s()
        response = await complete(request())
        assert (response.error, response.attempts) == ("deadline", 3)
        assert now_s() - began == pytest.approx(10 + 1_800)

    on_fake_time(work())


def test_an_attempt_that_was_held_back_is_no_request() -> None:
    def around(send: Send) -> Send:
        async def unreachable(_: Request) -> Response:
            raise RetryableError("quota_unreachable", "")

        return unreachable

    async def work() -> None:
        endpoint = FakeEndpoint(steady(1))
        response = await on_loop_time(endpoint, around)(request())
        assert (response.error, response.attempts) == ("quota_unreachable", 0)
        assert endpoint.began_at == []

    on_fake_time(work())


def test_a_request_that_is_cut_off_was_one_all_the_same() -> None:
    async def work() -> None:
        endpoint = FakeEndpoint(steady(STUCK_S))
        response = await on_loop_time(endpoint, lambda send: send)(request())
        assert (response.error, response.attempts, endpoint.cut_off) == ("deadline", 1, 1)

    on_fake_time(work())


def test_a_wall_clock_that_jumps_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: uniform(-1e9, 1e9))

    async def work() -> float:
        endpoint, began = FakeEndpoint(lambda n, _: Reply(1, BUSY if n < 2 else None)), now_s()
        assert (await on_loop_time(endpoint, lambda send: send)(request())).attempts == 3
        return now_s() - began

    assert on_fake_time(work()) == pytest.approx(1 + 0.375 + 1 + 0.75 + 1)
