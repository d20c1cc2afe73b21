"""What is known of a call's HTTP requests, from outside."""

from __future__ import annotations

import asyncio

import pytest

from streaming_eval.errors import PermanentError
from streaming_eval.inference.calls.sent import Sent, in_line, noted, noting
from tests.inference.fake_endpoint import FakeEndpoint, Reply, steady
from tests.inference.fake_loop import STARTED_AT, on_fake_time
from tests.inference.requests import request


def test_requests_of_the_task_and_of_those_it_starts_are_noted_and_of_no_others() -> None:
    async def work() -> None:
        endpoint = FakeEndpoint(steady(1))
        send, note = noted(endpoint.send), Sent()
        stranger = asyncio.ensure_future(send(request()))
        await asyncio.sleep(0.5)
        with noting(note):
            both = asyncio.gather(send(request()), send(request()))
            await asyncio.sleep(0.1)
            assert (note.total, note.under_way, note.first_at) == (2, 2, STARTED_AT + 0.5)
            await both
        await send(request())
        await stranger
        assert (note.total, note.under_way, len(endpoint.began_at)) == (2, 0, 4)

    on_fake_time(work())


def test_the_parts_of_a_call_are_noted_by_themselves_and_as_a_whole() -> None:
    async def work() -> None:
        send, whole, parts = noted(FakeEndpoint(steady(1)).send), Sent(), [Sent(), Sent()]

        async def part(note: Sent, n: int) -> None:
            with noting(note):
                for _ in range(n):
                    await send(request())

        with noting(whole):
            await asyncio.gather(part(parts[0], 2), part(parts[1], 3))
        assert ([note.total for note in parts], whole.total) == ([2, 3], 5)
        assert whole.under_way == 0

    on_fake_time(work())


@pytest.mark.parametrize("level", ["whole", "part"])
def test_a_barred_call_sends_nothing(level: str) -> None:
    async def work() -> None:
        endpoint, whole, part = FakeEndpoint(steady(1)), Sent(), Sent()
        (whole if level == "whole" else part).barred = PermanentError("batch_deadline", "over")
        with noting(whole), noting(part), pytest.raises(PermanentError, match="over"):
            await noted(endpoint.send)(request())
        assert (endpoint.began_at, whole.under_way, part.under_way) == ([], 0, 0)

    on_fake_time(work())


@pytest.mark.parametrize("reply", [Reply(1, PermanentError("http_400", "")), Reply(99)])
def test_a_request_that_fails_or_is_cut_off_is_over(reply: Reply) -> None:
    async def work() -> None:
        note = Sent()
        with noting(note), pytest.raises((PermanentError, TimeoutError)):
            await asyncio.wait_for(noted(FakeEndpoint(lambda *_: reply).send)(request()), 5)
        assert (note.total, note.under_way) == (1, 0)

    on_fake_time(work())


class StopWatch:
    def __init__(self) -> None:
        self.going = False

    def start(self) -> None:
        self.going = True

    def stop(self) -> None:
        self.going = False


def test_a_call_in_line_is_not_timed_unless_another_of_its_requests_is_under_way() -> None:
    async def work() -> None:
        watch, send = StopWatch(), noted(FakeEndpoint(steady(1)).send)
        with noting(Sent(watch)):
            await send(request())
            assert watch.going, "a pause between attempts is charged"
            with in_line():
                assert not watch.going
            first = asyncio.ensure_future(send(request()))
            await asyncio.sleep(0.5)
            with in_line():
                assert watch.going
            await first
        with in_line():
            pass  # nobody keeps a note

    on_fake_time(work())
