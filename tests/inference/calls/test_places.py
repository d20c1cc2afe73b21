"""Who gets a place, and when a call that is stuck no longer takes one."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming_eval.inference.calls.places import Places
from tests.inference.fake_loop import on_fake_time


class Visitors:
    """Takes places for given times and notes who was in when."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.inside = self.most_inside = 0
        self.order: list[int] = []

    async def visit(self, number: int, stays_s: float) -> None:
        place = await self.places.enter()
        self.order.append(number)
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            await asyncio.sleep(stays_s)
        finally:
            self.inside -= 1
            self.places.leave(place)

    async def all(self, *stays_s: float) -> None:
        await asyncio.gather(*(self.visit(n, s) for n, s in enumerate(stays_s)))


@pytest.mark.parametrize("limit", [1, 3, 16])
def test_the_limit_is_reached_never_exceeded_and_first_come_is_first_served(limit: int) -> None:
    async def work() -> None:
        visitors = Visitors(Places(limit, 2 * limit))
        await visitors.all(*[1.0] * 50)
        assert visitors.most_inside == limit
        assert visitors.order == list(range(50))
        assert visitors.places.in_flight == 0

    on_fake_time(work())


def test_an_overdue_call_gives_way_up_to_the_share_and_no_further() -> None:
    async def work() -> None:
        visitors = Visitors(Places(3, 5))
        stuck = [asyncio.ensure_future(visitors.visit(n, 1e3)) for n in range(2)]
        await asyncio.sleep(0.5)
        quick = asyncio.ensure_future(visitors.all(*[1.0] * 30))
        await asyncio.sleep(11.7)
        assert (visitors.inside, visitors.places.overdue) == (3, 0), "overtaken by eleven"
        await asyncio.sleep(1)
        assert (visitors.inside, visitors.places.overdue) == (5, 2), "overtaken by twelve"
        await quick
        more = [asyncio.ensure_future(visitors.visit(n, 1e3)) for n in range(2)]
        await visitors.all(*[1.0] * 30)
        assert (visitors.places.in_flight, visitors.places.overdue) == (4, 4)
        assert visitors.most_inside == 5
        for task in (*stuck, *more):
            task.cancel()
        await asyncio.gather(*stuck, *more, return_exceptions=True)
        assert visitors.places.in_flight == 0

    on_fake_time(work())


def test_when_all_are_slow_nobody_is_overdue() -> None:
    async def work() -> None:
        visitors = Visitors(Places(4, 8))
        await visitors.all(*[0.1] * 100, *[50.0] * 40)
        assert visitors.most_inside == 4

    on_fake_time(work())


def test_a_higher_limit_lets_in_at_once_who_waits_and_a_lower_one_turns_nobody_out() -> None:
    async def work() -> None:
        visitors = Visitors(Places(1, 9))
        crowd = asyncio.ensure_future(visitors.all(*[1.0] * 12))
        await asyncio.sleep(0.5)
        assert visitors.inside == 1
        visitors.places.limit = 5
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert visitors.inside == 5
        visitors.places.limit = 2
        assert visitors.inside == 5
        await asyncio.sleep(1.2)
        assert visitors.inside == 2
        await crowd

    on_fake_time(work())


def test_who_is_cancelled_in_the_moment_of_getting_a_place_gives_it_back() -> None:
    async def work() -> None:
        places = Places(1, 1)
        first = await places.enter()
        second = asyncio.ensure_future(places.enter())
        await asyncio.sleep(0)
        places.leave(first)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        assert (second.cancelled(), places.in_flight) == (True, 0)

    on_fake_time(work())


@settings(deadline=None)
@given(
    visits=st.lists(
        st.tuples(
            st.floats(0, 20), st.sampled_from([0.0, 1.0, 5.0, 40.0]), st.none() | st.floats(0, 30)
        ),
        max_size=30,
    ),
    limits=st.lists(st.tuples(st.floats(0, 20), st.integers(1, 5)), max_size=5),
)
def test_no_place_is_lost_or_made_whoever_is_cancelled_and_whenever(
    visits: list[tuple[float, float, float | None]], limits: list[tuple[float, int]]
) -> None:
    async def work() -> None:
        visitors = Visitors(Places(3, 6))

        async def visitor(number: int, at_s: float, stays_s: float, gone_s: float | None) -> None:
            await asyncio.sleep(at_s)
            task = asyncio.ensure_future(visitors.visit(number, stays_s))
            if gone_s is not None:
                await asyncio.sleep(gone_s)
                task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        async def change(at_s: float, limit: int) -> None:
            await asyncio.sleep(at_s)
            visitors.places.limit = limit

        await asyncio.gather(
            *(visitor(n, *visit) for n, visit in enumerate(visits)),
            *(change(at_s, limit) for at_s, limit in limits),
        )
        assert visitors.most_inside <= 6
        assert (visitors.places.in_flight, visitors.places.overdue) == (0, 0)
        visitors.places.limit = 3
        visitors.most_inside = 0
        await visitors.all(*[1.0] * 20)
        assert visitors.most_inside == 3

    on_fake_time(work())
