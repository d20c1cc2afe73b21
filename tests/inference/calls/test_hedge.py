"""Who is asked twice, who is believed, and how many extra requests that costs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming_eval.errors import InferenceError, PermanentError, RetryableError
from streaming_eval.inference.calls.hedge import Hedge, HedgeLimits
from streaming_eval.inference.complete import Send
from streaming_eval.records import Request, Response
from tests.inference.fake_endpoint import DOWN, STUCK_S, FakeEndpoint, Reply, Script, steady
from tests.inference.fake_loop import now_s, on_fake_time
from tests.inference.requests import request

WARM_UP = 100
LATE = HedgeLimits(after_quantile=0.98, max_extra=1.0)


async def warmed_up(limits: HedgeLimits = LATE, takes_s: float = 1.0) -> Hedge:
    hedge = Hedge(limits, clock=now_s)
    send = hedge.hedged(FakeEndpoint(steady(takes_s)).send, forbidden)
    await asyncio.gather(*(send(request()) for _ in range(WARM_UP)))
    return hedge


async def forbidden(_: Request) -> Response:
    raise AssertionError("nothing is late")


def scripted(*replies: Reply) -> Script:
    return lambda number, _: replies[number]


async def asked_once(hedge: Hedge, endpoint: FakeEndpoint) -> Response:
    return await hedge.hedged(endpoint.send, endpoint.send)(request())


def test_one_stuck_answer_costs_three_times_the_usual() -> None:
    async def work() -> None:
        hedge = await warmed_up()
        endpoint, began = FakeEndpoint(scripted(Reply(STUCK_S), Reply(1))), now_s()
        await asked_once(hedge, endpoint)
        assert now_s() - began == pytest.approx(3, abs=0.01)
        assert (endpoint.cut_off, endpoint.under_way, hedge.extra, hedge.won) == (1, 0, 1, 1)

    on_fake_time(work())


def test_the_first_attempt_may_still_win() -> None:
    async def work() -> None:
        hedge = await warmed_up()
        endpoint, began = FakeEndpoint(scripted(Reply(2.5), Reply(5))), now_s()
        await asked_once(hedge, endpoint)
        assert now_s() - began == pytest.approx(2.5, abs=0.01)
        assert (endpoint.cut_off, hedge.extra, hedge.won) == (1, 1, 0)

    on_fake_time(work())


def test_nothing_is_hedged_before_it_is_known_what_is_usual() -> None:
    async def work() -> None:
        hedge = Hedge(LATE, clock=now_s)
        await hedge.hedged(FakeEndpoint(steady(900)).send, forbidden)(request())

    on_fake_time(work())


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (Reply(4, DOWN), Reply(4), "answer after 6"),
        (Reply(4), Reply(1, DOWN), "answer after 4"),
        (Reply(4), Reply(1, PermanentError("http_400", "")), "answer after 4"),
        (Reply(4, PermanentError("http_400", "")), Reply(4), "http_400 after 4"),
        (Reply(4, DOWN), Reply(1, RetryableError("http_429", "")), "connection after 4"),
        (Reply(3, DOWN), Reply(3, PermanentError("http_400", "")), "connection after 5"),
        (Reply(0.5, DOWN), Reply(9), "connection after 0.5"),
    ],
)
def test_who_is_believed(first: Reply, second: Reply, expected: str) -> None:
    async def work() -> str:
        hedge, began = await warmed_up(), now_s()
        try:
            await asked_once(hedge, FakeEndpoint(scripted(first, second)))
        except InferenceError as error:
            return f"{error.reason} after {now_s() - began:g}"
        return f"answer after {now_s() - began:g}"

    assert on_fake_time(work()) == expected


def test_a_hedge_that_waits_for_its_permit_is_withdrawn_when_the_answer_comes() -> None:
    async def work() -> None:
        hedge = await warmed_up()
        endpoint = FakeEndpoint(steady(3))

        async def no_permit(_: Request) -> Response:
            await asyncio.sleep(STUCK_S)
            raise AssertionError

        began = now_s()
        await hedge.hedged(endpoint.send, no_permit)(request())
        assert now_s() - began == pytest.approx(3)
        assert len(endpoint.began_at) == 1

    on_fake_time(work())


@pytest.mark.parametrize("after_s", [1, 3])
def test_cancelling_the_caller_cancels_both(after_s: float) -> None:
    async def work() -> None:
        hedge, endpoint = await warmed_up(), FakeEndpoint(steady(STUCK_S))
        task = asyncio.ensure_future(asked_once(hedge, endpoint))
        await asyncio.sleep(after_s)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert endpoint.cut_off == len(endpoint.began_at) == (1 if after_s < 2 else 2)

    on_fake_time(work())


@settings(deadline=None)
@given(
    latencies=st.lists(st.sampled_from([1.0, 1.0, 1.0, 2.0, 50.0]), min_size=1, max_size=150),
    max_extra=st.sampled_from([0.0, 0.02, 0.1, 0.5]),
    in_a_row=st.booleans(),
)
def test_extra_requests_stay_below_their_share_at_all_times(
    latencies: list[float], max_extra: float, in_a_row: bool
) -> None:
    async def work() -> None:
        hedge = await warmed_up(HedgeLimits(0.9, max_extra))
        firsts = WARM_UP

        def at(takes_s: float) -> Send:
            return FakeEndpoint(steady(takes_s)).send

        async def ask(takes_s: float) -> None:
            nonlocal firsts
            firsts += 1
            await hedge.hedged(at(takes_s), at(1.0))(request())
            assert hedge.extra <= max_extra * firsts

        if in_a_row:
            for takes_s in latencies:
                await ask(takes_s)
        else:
            await asyncio.gather(*map(ask, latencies))

    on_fake_time(work())


def test_the_slow_end_of_a_narrow_distribution_is_not_late() -> None:
    async def work() -> None:
        hedge = await warmed_up(HedgeLimits(0.9, 1.0))
        for n in range(200):
            await asked_once(hedge, FakeEndpoint(steady(1 + 0.09 * (n % 10))))
        assert hedge.extra == 0

    on_fake_time(work())


def test_a_calm_hour_saves_up_no_storm_of_hedges() -> None:
    async def work() -> None:
        hedge = await warmed_up(HedgeLimits(0.9, 0.5))
        await asyncio.gather(*(asked_once(hedge, FakeEndpoint(steady(1))) for _ in range(1_000)))
        stuck = [FakeEndpoint(steady(40)) for _ in range(15)]
        await asyncio.gather(*(asked_once(hedge, endpoint) for endpoint in stuck))
        assert hedge.extra == 10

    on_fake_time(work())


@pytest.mark.parametrize(
    "second", [lambda: steady(1), lambda: steady(STUCK_S / 2)], ids=["cut off", "the slow one wins"]
)
def test_what_is_usual_follows_an_endpoint_that_has_become_slower(
    second: Callable[[], Script],
) -> None:
    """Attempts that are cut off count, or all would be hedged for ever."""

    async def work() -> None:
        hedge = await warmed_up(HedgeLimits(0.9, 1.0))
        for _ in range(300):
            slow, again = FakeEndpoint(steady(20)), FakeEndpoint(second())
            await hedge.hedged(slow.send, again.send)(request())
        before = hedge.extra
        for _ in range(50):
            slow, again = FakeEndpoint(steady(2)), FakeEndpoint(steady(1))
            await hedge.hedged(slow.send, again.send)(request())
        assert hedge.extra == before

    on_fake_time(work())
