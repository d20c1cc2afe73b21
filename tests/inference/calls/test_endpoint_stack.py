"""The whole stack against a scripted endpoint, and what holds whatever the endpoint does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming_eval.errors import InferenceError, PermanentError, RetryableError
from streaming_eval.inference.calls.adaptive_limit import InFlightLimits
from streaming_eval.inference.calls.batch_deadline import BatchLimits, batch_deadline
from streaming_eval.inference.calls.breaker import BreakerLimits, CircuitState
from streaming_eval.inference.calls.endpoint_stack import EndpointStack, StackLimits
from streaming_eval.inference.calls.hedge import HedgeLimits
from streaming_eval.inference.calls.sent import in_line
from streaming_eval.inference.calls.single_flight import SingleFlight
from streaming_eval.inference.complete import Send
from streaming_eval.records import Request, Response
from tests.inference.fake_endpoint import DOWN, FakeEndpoint, Reply
from tests.inference.fake_loop import STARTED_AT, now_s, on_fake_time
from tests.inference.requests import request

TIMEOUT_S = 15.0
LIMITS = StackLimits(
    max_attempts=4,
    deadline_s=40,
    in_flight=InFlightLimits(least=4, most=6, share=9, tolerance=2.0),
    breaker=BreakerLimits(
        failure_ratio=0.5,
        least_outcomes=5,
        most_outcomes=20,
        window_s=30,
        first_pause_s=1,
        longest_pause_s=8,
        patience_s=90,
    ),
    hedge=None,
)
HEDGED = replace(LIMITS, hedge=HedgeLimits(after_quantile=0.9, max_extra=0.1))
BATCH = BatchLimits(
    longest_s=100, straggler_after_s=20, straggler_share=0.1, check_s=0.5, grace_s=None
)
ERRORS: Sequence[InferenceError | None] = (
    None,
    DOWN,
    RetryableError("http_503", ""),
    RetryableError("http_429", ""),
    PermanentError("http_400", ""),
)


@dataclass(frozen=True)
class Weather:
    """How an endpoint behaves: replies in turn, and an outage from a moment on for a while."""

    replies: Sequence[tuple[float, InferenceError | None]]
    outage_at_s: float = 0.0
    outage_s: float = 0.0

    def reply(self, number: int, _: Request) -> Reply:
        if 0 <= now_s() - STARTED_AT - self.outage_at_s < self.outage_s:
            return Reply(0.05, DOWN)
        takes_s, error = self.replies[number % len(self.replies)]
        if takes_s > TIMEOUT_S:
            return Reply(TIMEOUT_S, RetryableError("timeout", ""))
        return Reply(takes_s, error)


class Quota:
    """So many requests per second."""

    def __init__(self, per_s: float) -> None:
        self._gap_s, self._next_at = 1 / per_s, 0.0
        self.permits = 0

    def permitted(self, send: Send) -> Send:
        async def permitted_send(asked: Request) -> Response:
            with in_line():
                at = self._next_at = max(now_s(), self._next_at) + self._gap_s
                await asyncio.sleep(at - now_s())
            self.permits += 1
            return await send(asked)

        return permitted_send


class Process:
    """A worker: its stack, its flights, what it has kept, and every response it has given."""

    def __init__(self, weather: Weather, limits: StackLimits, per_s: float = 1e3) -> None:
        self.endpoint, self.quota = FakeEndpoint(weather.reply), Quota(per_s)
        self.stack = EndpointStack(limits, sleep=asyncio.sleep, random=lambda: 0.5, clock=now_s)
        self.flights, self.kept = SingleFlight(), dict[str, Response]()
        self.given: list[Response] = []
        self.most_in_flight = 0
        self._complete = self.stack.over(self.endpoint.send, self.quota.permitted)

    async def batch(self, questions: Sequence[int]) -> None:
        async with batch_deadline(self.flights, BATCH, asyncio.sleep):
            responses = await asyncio.gather(*(self._ask(f"{n}") for n in questions))
        self.given += responses

    async def _ask(self, question: str) -> Response:
        if question in self.kept:
            return replace(self.kept[question], cached=True)
        shared = question in self.flights
        response = await self.flights.run(question, lambda: self._call(question))
        return replace(response, cached=True) if shared else response

    async def _call(self, question: str) -> Response:
        response = await self._complete(request(question))
        self.most_in_flight = max(self.most_in_flight, self.stack.limit.in_flight)
        if response.error is None:
            self.kept[question] = response
        return response


def weathers() -> st.SearchStrategy[Weather]:
    takes_s = st.sampled_from([0.5, 1.0, 2.0, 12.0, 99.0]).map(lambda s: s + 0.0137)
    reply = st.tuples(takes_s, st.sampled_from([None, None, None, *ERRORS]))
    return st.builds(
        Weather, st.lists(reply, min_size=1, max_size=25), st.floats(0, 30), st.floats(0, 90)
    )


batches = st.lists(st.lists(st.integers(0, 25), max_size=40), min_size=1, max_size=3)


@settings(max_examples=150, deadline=None)
@given(batches, weathers(), st.sampled_from([LIMITS, HEDGED]), st.sampled_from([1.0, 1e3]))
def test_whatever_happens_each_request_ends_once_in_time_and_every_http_request_is_reported(
    batches: list[list[int]], weather: Weather, limits: StackLimits, per_s: float
) -> None:
    async def work() -> None:
        process = Process(weather, limits, per_s)
        for questions in batches:
            began, given = now_s(), len(process.given)
            await process.batch(questions)
            assert now_s() - began <= BATCH.longest_s + BATCH.check_s
            assert len(process.given) - given == len(questions)
        await asyncio.sleep(1_000)  # what lingers ends, too
        http = process.endpoint
        reported = sum(r.attempts for r in process.given if not r.cached)
        assert reported == len(http.began_at)
        assert process.quota.permits >= len(http.began_at)
        assert http.in_vain == 0
        assert all((r.text is None) != (r.error is None) for r in process.given)
        assert process.most_in_flight <= limits.in_flight.share
        hedges = process.stack.hedge.extra if process.stack.hedge else 0
        assert http.most_under_way <= limits.in_flight.share + hedges
        assert hedges <= 0.1 * len(http.began_at)
        assert (http.under_way, process.stack.limit.in_flight, process.flights.lingering) == (
            0,
        ) * 3

    on_fake_time(work())


@settings(max_examples=60, deadline=None)
@given(weathers(), st.sampled_from([LIMITS, HEDGED]), st.floats(0, 120))
def test_a_batch_that_is_cancelled_leaves_nothing_behind_and_loses_no_place(
    weather: Weather, limits: StackLimits, after_s: float
) -> None:
    async def work() -> None:
        process = Process(weather, limits)
        batch = asyncio.ensure_future(process.batch(range(40)))
        await asyncio.sleep(after_s)
        batch.cancel()
        await asyncio.gather(batch, return_exceptions=True)
        await process.flights.drain(0)
        await asyncio.sleep(0.01)
        assert (process.endpoint.under_way, process.stack.limit.in_flight) == (0, 0)

    on_fake_time(work())


@pytest.mark.parametrize("down_s", [5.0, 60.0])
def test_an_outage_costs_its_time_and_a_few_requests_but_no_sample(down_s: float) -> None:
    async def work() -> None:
        process = Process(Weather([(0.8, None)], outage_at_s=5, outage_s=down_s), LIMITS)
        await process.batch(range(150))
        assert [response.error for response in process.given] == [None] * 150
        wasted = len(process.endpoint.began_at) - 150
        assert wasted <= 14 + down_s / 8, "those that opened the circuit, and the probes"
        took_s = now_s() - STARTED_AT
        assert took_s <= 150 / 6 * 0.8 + down_s + 8 * 1.5 + 8
        assert process.stack.breaker.state is CircuitState.CLOSED

    on_fake_time(work())


def test_a_long_outage_fails_what_it_must_and_a_later_batch_gets_the_rest() -> None:
    async def work() -> None:
        process = Process(Weather([(0.8, None)], outage_at_s=5, outage_s=300), LIMITS)
        await process.batch(range(150))
        reasons = {response.error for response in process.given}
        assert reasons <= {
            *(None, "batch_deadline", "not_begun", "circuit_open", "deadline", "connection")
        }
        assert len(process.endpoint.began_at) < 100
        await asyncio.sleep(300)
        await process.batch(range(150))
        assert [response.error for response in process.given[150:]] == [None] * 150
        assert process.endpoint.in_vain == 0

    on_fake_time(work())


async def seconds(weather: Weather, limits: StackLimits) -> float:
    process = Process(weather, limits)
    await process.batch(range(100))  # warm up
    began = now_s()
    await process.batch(range(100, 400))
    took_s = now_s() - began
    await process.flights.drain(100)
    return took_s


def test_hedging_takes_the_tail_off() -> None:
    tail = Weather([(0.8, None)] * 97 + [(14.0, None)] * 3)
    hedging = replace(HEDGED, hedge=HedgeLimits(after_quantile=0.95, max_extra=0.05))
    plain, hedged = (on_fake_time(seconds(tail, limits)) for limits in (LIMITS, hedging))
    assert hedged < 0.8 * plain
