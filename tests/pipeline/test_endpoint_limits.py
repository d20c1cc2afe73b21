"""What the default settings of an endpoint come to, with all tasks of a job at once."""

from __future__ import annotations

import asyncio
from functools import partial
from itertools import cycle

import pytest

from streaming_eval.errors import RetryableError
from streaming_eval.inference.calls.breaker import CircuitState
from streaming_eval.inference.calls.endpoint_stack import EndpointStack
from streaming_eval.inference.complete import Send
from streaming_eval.pipeline.endpoint_plans import endpoint_plan
from streaming_eval.records import Request, Response
from streaming_eval.settings import EndpointSettings
from tests.inference.fake_endpoint import FakeEndpoint, Reply
from tests.inference.fake_loop import STARTED_AT, now_s, on_fake_time
from tests.inference.requests import request

DEFAULT = EndpointSettings(base_url="http://127.0.0.1/v1")
TIMEOUT_S = DEFAULT.request_timeout / 1_000
OUTAGE_S = 60.0
DRAWS = (0.1, 0.9, 0.5, 0.3, 0.7)


def straight(send: Send) -> Send:
    return send


def stacks(tasks: int) -> list[EndpointStack]:
    """One for each task, not two of which draw the same."""
    limits = endpoint_plan("models", DEFAULT, tasks).limits
    draws = [partial(float, DRAWS[n % len(DRAWS)]) for n in range(tasks)]
    return [EndpointStack(limits, sleep=asyncio.sleep, random=draw, clock=now_s) for draw in draws]


async def ask_all(tasks: list[EndpointStack], send: Send, calls: int) -> list[Response]:
    """So many calls, dealt out to the tasks."""
    completes = [task.over(send, straight) for task in tasks]
    return await asyncio.gather(
        *(complete(request(f"{n}")) for n, complete in zip(range(calls), cycle(completes)))
    )


@pytest.mark.parametrize("tasks", [1, 2, 8])
@pytest.mark.parametrize("fails_after_s", [0.01, 1.0])
def test_a_failing_endpoint_is_left_alone_at_once_and_probed_once_a_second_at_most(
    tasks: int, fails_after_s: float
) -> None:
    def reply(number: int, _: Request) -> Reply:
        down = now_s() - STARTED_AT < OUTAGE_S
        return Reply(fails_after_s, RetryableError("http_500", "") if down else None)

    async def work() -> None:
        endpoint, all_tasks = FakeEndpoint(reply), stacks(tasks)
        asking = asyncio.ensure_future(ask_all(all_tasks, endpoint.send, 400))
        await asyncio.sleep(fails_after_s + 0.1)
        assert all(task.breaker.state is CircuitState.OPEN for task in all_tasks), "by one wave"
        opened_at = now_s()
        responses = await asking
        well_at = STARTED_AT + OUTAGE_S
        assert sum(at <= opened_at for at in endpoint.began_at) <= DEFAULT.max_in_flight
        probes = [at for at in endpoint.began_at if opened_at < at < well_at]
        assert probes
        assert all(sum(at <= other < at + 10 for other in probes) <= 10 for at in probes)
        assert [response.error for response in responses] == [None] * 400, "nobody had to fail"
        assert now_s() - STARTED_AT < OUTAGE_S + 1.5 * 30 + 30

    on_fake_time(work())


async def seconds_for_the_others(tasks: int, *, stuck: bool) -> float:
    """How long those calls take that are not stuck, where one in a hundred is."""
    done_at = 0.0

    def is_stuck(question: str) -> bool:
        hundred, n = divmod(int(question), 100)
        return stuck and n == 50 + hundred % 2  # so that all tasks have their part

    def reply(_: int, asked: Request) -> Reply:
        if is_stuck(asked.messages[0].content):
            return Reply(TIMEOUT_S, RetryableError("timeout", ""))
        return Reply(0.8)

    endpoint = FakeEndpoint(reply)

    async def send(asked: Request) -> Response:
        nonlocal done_at
        response = await endpoint.send(asked)
        done_at = now_s()
        return response

    responses = await ask_all(stacks(tasks), send, 16_000)
    assert sum(r.error is not None for r in responses) == (160 if stuck else 0)
    assert endpoint.most_under_way <= DEFAULT.most_open
    return done_at - STARTED_AT


def test_one_call_in_a_hundred_that_is_stuck_to_its_deadline_leaves_the_rest_their_rate() -> None:
    free_s = on_fake_time(seconds_for_the_others(2, stuck=False))
    held_up_s = on_fake_time(seconds_for_the_others(2, stuck=True))
    assert free_s / held_up_s >= 0.9
