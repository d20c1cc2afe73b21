"""What a task says of the policies of an endpoint, which outlive it."""

from __future__ import annotations

import asyncio

from streaming_eval.adapters.call_tally import CallTally
from streaming_eval.adapters.stack_tally import StackTally
from streaming_eval.errors import RetryableError
from streaming_eval.inference.calls.endpoint_stack import EndpointStack
from streaming_eval.inference.complete import Complete
from streaming_eval.pipeline.endpoint_plans import endpoint_plan
from streaming_eval.records import Request
from streaming_eval.settings import EndpointSettings
from tests.inference.fake_endpoint import FakeEndpoint, Reply
from tests.inference.fake_loop import now_s, on_fake_time
from tests.inference.requests import request

Counts = dict[tuple[str, str], int]


def stack(**settings: object) -> EndpointStack:
    given = {"base_url": "http://127.0.0.1/v1", "max_attempts": 1, **settings}
    limits = endpoint_plan("models", EndpointSettings.model_validate(given), 1).limits
    return EndpointStack(limits, sleep=asyncio.sleep, random=lambda: 0.5, clock=now_s)


async def task(policies: EndpointStack, endpoint: FakeEndpoint, n: int) -> Counts:
    """What one task that makes so many calls reports."""
    tally, counting = CallTally(now_s), StackTally(policies, "models")
    complete: Complete = policies.over(endpoint.send, lambda send: send)
    await asyncio.gather(*(complete(request()) for _ in range(n)))
    counting.add_to(tally)
    rows = tally.table().to_pylist()
    assert {row["endpoint"] for row in rows} == {"models"}
    return {(row["metric"], row["label"]): row["n"] for row in rows}


def down(number: int, _: Request) -> Reply:
    return Reply(0.1, RetryableError("http_500", ""))


def test_each_opening_of_a_circuit_is_told_by_the_task_in_which_it_happened() -> None:
    async def work() -> None:
        policies = stack(circuit_breaker={"max_wait": "1ms"})
        told = [await task(policies, FakeEndpoint(down), 100) for _ in range(2)]
        assert [counts["circuit_openings", ""] for counts in told] == [1, 0]
        # The calls of the first wave were under way; the others are refused, but for one probe.
        assert told[0]["circuit_refusals", ""] == 100 - 64
        assert told[1]["circuit_refusals", ""] == 100
        assert all(counts["circuit_state", "open"] == 1 for counts in told)

    on_fake_time(work())


def test_a_task_that_calls_nobody_says_that_nothing_happened() -> None:
    async def work() -> None:
        assert await task(stack(max_in_flight=8), FakeEndpoint(down), 0) == {
            ("circuit_openings", ""): 0,
            ("circuit_refusals", ""): 0,
            ("circuit_state", "closed"): 1,
            ("in_flight_limit", ""): 8,
            ("requests_in_flight", ""): 0,
        }

    on_fake_time(work())


def test_hedges_are_told_apart_by_whether_they_answered_first() -> None:
    def reply(number: int, _: Request) -> Reply:
        # Late is what takes more than twice the median: the first call of the second task, whose
        # hedge is quick, and that of the third, whose hedge is slower still.
        return Reply({100: 5.0, 102: 5.0, 103: 30.0}.get(number, 1.0), None)

    async def work() -> None:
        policies = stack(max_in_flight=1, hedging={"enabled": True, "max_extra": 0.5})
        endpoint = FakeEndpoint(reply)
        told = [await task(policies, endpoint, n) for n in (100, 1, 1)]
        hedges = [(counts["hedges", "won"], counts["hedges", "lost"]) for counts in told]
        assert hedges == [(0, 0), (1, 0), (0, 1)]

    on_fake_time(work())
