"""How many calls are under way at endpoints of several kinds."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from itertools import repeat

import pytest

from streaming_eval.errors import RetryableError
from streaming_eval.inference.calls.adaptive_limit import AdaptiveLimit, InFlightLimits
from streaming_eval.inference.complete import Complete, failed
from streaming_eval.records import Request, Response
from tests.inference.fake_loop import now_s, on_fake_time
from tests.inference.requests import request

LIMITS = InFlightLimits(least=8, most=64, share=128, tolerance=2.0)


def adaptive(limits: InFlightLimits = LIMITS) -> AdaptiveLimit:
    return AdaptiveLimit(limits)


class Machine:
    """Works on so many requests at once; the others queue. Takes times in the order of arrival."""

    def __init__(self, at_once: int, takes_s: Iterator[float]) -> None:
        self._places, self.takes_s = asyncio.Semaphore(at_once), takes_s
        self.under_way = self.most_under_way = self.done = 0

    async def complete(self, _: Request) -> Response:
        began, takes_s = now_s(), next(self.takes_s)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            async with self._places:
                await asyncio.sleep(takes_s)
        finally:
            self.under_way -= 1
        self.done += 1
        return Response("So.", latency_ms=(now_s() - began) * 1_000, attempts=1)


async def many(complete: Complete, n: int) -> float:
    """Seconds that so many calls take, all begun at once."""
    began = now_s()
    await asyncio.gather(*(complete(request()) for _ in range(n)))
    return now_s() - began


def test_an_endpoint_that_takes_everything_gets_the_most_soon_and_nothing_above() -> None:
    async def work() -> None:
        limit, machine = adaptive(), Machine(10_000, repeat(0.8))
        assert limit.limit == LIMITS.least
        await many(limit.limited(machine.complete), 400)
        assert limit.limit == LIMITS.most
        took_s = await many(limit.limited(machine.complete), 64 * 20)
        assert took_s == pytest.approx(20 * 0.8, rel=0.02)
        assert machine.most_under_way == LIMITS.most

    on_fake_time(work())


@pytest.mark.parametrize("at_once", [10, 20, 30])
def test_an_endpoint_that_queues_gets_what_it_can_do_and_little_more(at_once: int) -> None:
    async def work() -> None:
        limit, machine = adaptive(), Machine(at_once, repeat(0.8))
        complete = limit.limited(machine.complete)
        await many(complete, 1_000)
        machine.most_under_way = 0
        took_s = await many(complete, 3_000)
        assert 3_000 / took_s >= 0.95 * at_once / 0.8
        assert machine.most_under_way <= 3.5 * at_once

    on_fake_time(work())


def test_without_pressure_the_limit_stays() -> None:
    async def work() -> None:
        limit, machine = adaptive(), Machine(1_000, repeat(0.8))
        for _ in range(200):
            await many(limit.limited(machine.complete), 4)
        assert limit.limit == LIMITS.least

    on_fake_time(work())


@pytest.mark.parametrize("seed", range(4))
def test_answers_of_very_different_length_are_no_sign_of_overload(seed: int) -> None:
    async def work() -> None:
        draw = random.Random(seed)
        machine = Machine(10_000, (draw.lognormvariate(-0.2, 1.2) for _ in repeat(0)))
        limit = adaptive()
        complete = limit.limited(machine.complete)
        await many(complete, 1_000)
        began, before = now_s(), machine.done
        crowd = asyncio.ensure_future(many(complete, 6_000))
        limits = []
        while not crowd.done():
            limits.append(limit.limit)
            await asyncio.sleep(1)
        assert machine.done - before == 6_000
        assert sum(limits) / len(limits) >= 0.9 * LIMITS.most
        assert now_s() > began

    on_fake_time(work())


def test_an_endpoint_that_has_become_slower_for_good_is_used_fully_again() -> None:
    async def work() -> None:
        limit, machine = adaptive(), Machine(10_000, repeat(0.5))
        await many(limit.limited(machine.complete), 2_000)
        machine.takes_s = repeat(4.0)
        await many(limit.limited(machine.complete), 1_000)
        assert limit.limit == LIMITS.most

    on_fake_time(work())


@pytest.mark.parametrize("reason", ["deadline", "timeout", "http_429", "http_503"])
def test_an_endpoint_that_refuses_gets_the_least(reason: str) -> None:
    async def work() -> None:
        limit, machine = adaptive(), Machine(10_000, repeat(0.5))
        await many(limit.limited(machine.complete), 2_000)

        async def refused(_: Request) -> Response:
            await asyncio.sleep(0.1)
            return failed(RetryableError(reason, ""), 1)

        await many(limit.limited(refused), 500)
        assert limit.limit == LIMITS.least
        await many(limit.limited(machine.complete), 1_000)
        assert limit.limit == LIMITS.most, "and soon the most, once it takes requests again"

    on_fake_time(work())


def test_other_failures_say_nothing_about_load() -> None:
    async def work() -> None:
        limit, machine = adaptive(), Machine(10_000, repeat(0.5))
        await many(limit.limited(machine.complete), 2_000)

        async def refused(_: Request) -> Response:
            return failed(RetryableError("http_400", ""), 1)

        await many(limit.limited(refused), 2_000)
        assert limit.limit == LIMITS.most

    on_fake_time(work())


async def others_take_s(
    limits: InFlightLimits, stuck_s: float, stuck: Callable[[int], bool]
) -> float:
    """Seconds until all are done that are not stuck."""
    limit = adaptive(limits)
    await many(limit.limited(Machine(10_000, repeat(0.8)).complete), 1_000)
    times = (stuck_s if stuck(n) else 0.8 for n in range(10_000))
    machine, began, done_at = Machine(10_000, times), now_s(), 0.0

    async def ask(n: int) -> None:
        nonlocal done_at
        await complete(request())
        if not stuck(n):
            done_at = now_s()

    complete = limit.limited(machine.complete)
    await asyncio.gather(*(ask(n) for n in range(4_000)))
    assert machine.most_under_way <= limits.share
    return done_at - began


@pytest.mark.parametrize("stuck_s", [10.0, 60.0])
def test_one_stuck_call_in_a_hundred_leaves_the_others_nine_tenths_of_their_rate(
    stuck_s: float,
) -> None:
    free_s = on_fake_time(others_take_s(LIMITS, stuck_s, lambda n: False))
    held_up_s = on_fake_time(others_take_s(LIMITS, stuck_s, lambda n: n % 100 == 50))
    assert free_s / held_up_s >= 0.9


def test_without_room_beyond_the_limit_stuck_calls_do_hold_up_the_others() -> None:
    """What the room is for: the share is never exceeded, so places are all that helps."""
    tight = InFlightLimits(least=8, most=64, share=64, tolerance=2.0)
    free_s = on_fake_time(others_take_s(tight, 60.0, lambda n: False))
    held_up_s = on_fake_time(others_take_s(tight, 60.0, lambda n: n % 100 == 50))
    assert free_s / held_up_s < 0.8
