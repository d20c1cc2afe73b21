"""When a batch ends that does not end by itself, and what becomes of its calls."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from streaming_eval.inference.calls.adaptive_limit import AdaptiveLimit, InFlightLimits
from streaming_eval.inference.calls.batch_deadline import BatchLimits, batch_deadline
from streaming_eval.inference.calls.retry import with_retry
from streaming_eval.inference.calls.single_flight import SingleFlight
from streaming_eval.inference.complete import Complete
from streaming_eval.records import Response
from tests.inference.fake_endpoint import DOWN, STUCK_S, FakeEndpoint, Reply, Script, steady
from tests.inference.fake_loop import now_s, on_fake_time
from tests.inference.requests import request

LIMITS = BatchLimits(
    longest_s=60, straggler_after_s=5, straggler_share=0.02, check_s=0.25, grace_s=0
)


class Worker:
    """A process that outlives batches: flights, an endpoint, and what was kept of its answers."""

    def __init__(self, script: Script, *, limit: int = 1_000) -> None:
        self.flights, self.endpoint = SingleFlight(), FakeEndpoint(script)
        self.kept: dict[str, Response] = {}
        retried = with_retry(
            self.endpoint.send,
            max_attempts=3,
            deadline_s=100,
            sleep=asyncio.sleep,
            random=lambda: 0.5,
            clock=now_s,
        )
        self._complete: Complete = AdaptiveLimit(InFlightLimits.fixed(limit)).limited(retried)

    async def ask(self, question: str) -> Response:
        async def call() -> Response:
            response = await self._complete(request(question))
            if response.error is None:
                self.kept[question] = response
            return response

        return self.kept.get(question) or await self.flights.run(question, call)

    async def batch(self, questions: int, limits: BatchLimits = LIMITS) -> list[Response]:
        async with batch_deadline(self.flights, limits, asyncio.sleep):
            return await asyncio.gather(*(self.ask(f"{n}") for n in range(questions)))


def stuck_at(*numbers: int, takes_s: float = 1.0, stuck_s: float = STUCK_S) -> Script:
    return lambda n, _: Reply(stuck_s if n in numbers else takes_s)


def test_a_batch_that_ends_by_itself_is_left_alone() -> None:
    async def work() -> None:
        worker, began = Worker(steady(1)), now_s()
        responses = await worker.batch(300)
        assert [response.error for response in responses] == [None] * 300
        assert now_s() - began == pytest.approx(1)

    on_fake_time(work())


def test_what_is_not_done_in_time_fails_and_what_was_not_sent_is_not_sent_any_more() -> None:
    async def work() -> None:
        worker, began = Worker(steady(7), limit=4), now_s()
        responses = await worker.batch(100)
        assert now_s() - began == pytest.approx(60)
        errors = [response.error for response in responses]
        assert errors == [None] * 32 + ["batch_deadline"] * 4 + ["not_begun"] * 64
        attempts = sum(response.attempts for response in responses)
        assert attempts == len(worker.endpoint.began_at) == 36
        await asyncio.sleep(200)
        assert len(worker.endpoint.began_at) == 36

    on_fake_time(work())


@pytest.mark.parametrize(("grace_s", "answered"), [(0, 32), (2, 32), (4, 36)])
def test_calls_under_way_have_a_time_of_grace_whose_answers_are_kept(
    grace_s: float, answered: int
) -> None:
    async def work() -> None:
        worker, began = Worker(steady(7), limit=4), now_s()
        await worker.batch(100, replace(LIMITS, grace_s=grace_s))
        assert now_s() - began == pytest.approx(60 + min(3, grace_s))
        assert (len(worker.kept), worker.flights.lingering) == (answered, 0)
        asked = worker.endpoint.asked.copy()
        again = await worker.batch(36)
        assert [response.error for response in again] == [None] * 36
        assert sum((worker.endpoint.asked - asked).values()) == 36 - answered

    on_fake_time(work())


def test_stragglers_end_with_the_batch_not_the_batch_with_them() -> None:
    async def work() -> None:
        worker, began = Worker(stuck_at(7, 40)), now_s()
        responses = await worker.batch(100)
        assert now_s() - began == pytest.approx(5, abs=0.3)
        failed = [n for n, response in enumerate(responses) if response.error]
        assert failed == [7, 40]
        assert {responses[n].error for n in failed} == {"batch_deadline"}

    on_fake_time(work())


@pytest.mark.parametrize(
    ("script", "limit", "ends_s"),
    [
        (stuck_at(1, 2, 3), 1_000, 60),
        (stuck_at(99, takes_s=0.6), 10, 9 * 0.6 + 5),
        (lambda n, _: Reply(STUCK_S if n == 7 else 6.0), 50, 12 + 5),
    ],
    ids=["too many", "too young", "others in line"],
)
def test_only_few_and_late_ones_end_a_batch_early(
    script: Script, limit: int, ends_s: float
) -> None:
    async def work() -> None:
        worker, began = Worker(script, limit=limit), now_s()
        await worker.batch(100)
        assert ends_s - 1e-6 <= now_s() - began <= ends_s + LIMITS.check_s

    on_fake_time(work())


def test_without_stragglers_allowed_the_batch_waits_for_all() -> None:
    async def work() -> None:
        worker, began = Worker(stuck_at(7)), now_s()
        await worker.batch(100, replace(LIMITS, straggler_share=0))
        assert now_s() - began == pytest.approx(60)

    on_fake_time(work())


@pytest.mark.parametrize("later_s", [2, 30])
def test_a_later_batch_joins_a_call_that_lingers_or_finds_its_answer(later_s: float) -> None:
    async def work() -> None:
        worker, lingering = Worker(stuck_at(7, stuck_s=20)), replace(LIMITS, grace_s=None)
        first = await worker.batch(100, lingering)
        assert (first[7].error, worker.flights.lingering) == ("batch_deadline", 1)
        await asyncio.sleep(later_s)
        assert (worker.flights.lingering, len(worker.kept)) == (
            (1, 99) if later_s < 15 else (0, 100)
        )
        second = await worker.batch(100, replace(lingering, straggler_share=0))
        assert [response.error for response in second] == [None] * 100
        assert set(worker.endpoint.asked.values()) == {1}, "nothing is paid twice"

    on_fake_time(work())


def test_a_batch_that_ends_by_an_error_sends_nothing_more_but_keeps_what_is_under_way() -> None:
    async def work() -> None:
        worker = Worker(steady(7), limit=4)

        async def broken() -> None:
            await asyncio.sleep(3)
            raise OSError("disk full")

        with pytest.raises(OSError, match="disk full"):
            async with batch_deadline(worker.flights, replace(LIMITS, grace_s=10), asyncio.sleep):
                asks = [asyncio.ensure_future(worker.ask(f"{n}")) for n in range(100)]
                await broken()
        assert (len(worker.endpoint.began_at), len(worker.kept)) == (4, 4)
        assert {(await ask).error for ask in asks} == {"batch_failed"}

    on_fake_time(work())


def test_a_call_that_lingers_in_vain_is_not_repeated_behind_the_batch() -> None:
    async def work() -> None:
        worker = Worker(lambda n, _: Reply(20, DOWN) if n == 7 else Reply(1))
        await worker.batch(100, replace(LIMITS, grace_s=None))
        await asyncio.sleep(200)
        assert (len(worker.endpoint.began_at), worker.flights.lingering) == (100, 0)
        second = await worker.batch(100)
        assert (second[7].error, worker.endpoint.asked["7"]) == (None, 2)

    on_fake_time(work())
