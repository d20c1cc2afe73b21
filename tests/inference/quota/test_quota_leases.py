"""A worker's leases: asked for ahead, given back, lost with the driver."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from streaming_eval.errors import RetryableError
from streaming_eval.inference.quota.messages import Grant, Remaining
from streaming_eval.inference.quota.permit_pool import Permit
from streaming_eval.inference.quota.quotas import Quota
from streaming_eval.inference.quota.waiters import Waiters
from tests.inference.quota.quota_world import Provider, World, for_a_while, keep_busy
from tests.inference.requests import request
from tests.inference.virtual_time import now_s, run


def test_a_steady_worker_waits_for_the_driver_only_at_first() -> None:
    async def scenario() -> tuple[list[float], int]:
        world = World(Quota(60_000))
        world.network.delay_s = 0.05
        leases, waits = world.worker(), []
        for _ in range(1_000):
            began = now_s()
            permit = leases.take_now("m", 0) or await leases.take("m", lambda: 0)
            waits.append(now_s() - began)
            await asyncio.sleep(0.005)
            leases.answered(permit, None)
        return waits, len(world.network.asks)

    waits, asks = run(scenario())
    assert waits[0] == pytest.approx(0.05)
    assert max(waits[200:]) == 0.0
    assert asks < 100


def test_with_a_slow_driver_the_quota_is_still_used_whole() -> None:
    async def scenario() -> int:
        world = World(Quota(600))
        world.network.delay_s = 0.3
        await for_a_while(30, *(keep_busy(world.complete(), 20) for _ in range(4)))
        return len(world.provider.starts)

    assert run(scenario()) >= 0.95 * 300


def test_what_is_not_used_is_given_back_at_the_end_of_the_batch() -> None:
    async def scenario() -> tuple[int, int]:
        world = World(Quota(6_000))
        leases = world.worker()
        await for_a_while(1.0, keep_busy(world.complete(leases), 3))
        await leases.settle()
        before = len(world.network.asks)
        await asyncio.sleep(10)
        assert len(world.network.asks) == before, "an idle worker asks nothing"
        await world.complete()(request())
        return world.quotas.status()["e"].expired, len(world.provider.starts)

    expired, starts = run(scenario())
    assert expired == 0
    assert starts > 50


@pytest.mark.parametrize("ran_s", [1.0 + n / 100 for n in range(12)])
def test_what_comes_while_the_batch_ends_is_given_back_too(ran_s: float) -> None:
    async def scenario() -> int:
        world = World(Quota(6_000))
        world.network.delay_s = 0.07
        leases = world.worker()
        await for_a_while(ran_s, keep_busy(world.complete(leases), 3))
        await leases.settle()
        await asyncio.sleep(5)
        await world.complete()(request())
        return world.quotas.status()["e"].expired

    assert run(scenario()) == 0


def test_an_idle_worker_gives_back_by_itself_and_falls_silent() -> None:
    async def scenario() -> tuple[int, int]:
        world = World(Quota(6_000))
        await for_a_while(1.0, keep_busy(world.complete(), 3))
        await asyncio.sleep(5)
        asks = len(world.network.asks)
        await asyncio.sleep(60)
        await world.complete()(request())
        return world.quotas.status()["e"].expired, len(world.network.asks) - asks

    expired, asks = run(scenario())
    assert expired == 0
    assert asks <= 2, "only those of the other worker"


def test_after_a_batch_a_worker_begins_again_by_itself() -> None:
    async def scenario() -> list[str | None]:
        world = World(Quota(600))
        leases = world.worker()
        complete, texts = world.complete(leases), []
        for _ in range(3):
            texts.append((await complete(request())).text)
            await leases.settle()
            await asyncio.sleep(30)
        return texts

    assert run(scenario()) == ["Because."] * 3


@pytest.mark.parametrize("quota", [Quota(600), Quota(concurrency=3)])
def test_nothing_is_sent_while_the_driver_is_away_and_all_goes_on_when_it_is_back(
    quota: Quota,
) -> None:
    async def scenario() -> list[float]:
        world = World(quota)
        work = asyncio.gather(*(keep_busy(world.complete(), 20) for _ in range(3)))
        await asyncio.sleep(5)
        world.network.cut = True
        await asyncio.sleep(20)
        world.network.cut = False
        await asyncio.sleep(10)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        return world.provider.starts

    starts = run(scenario())
    assert [start for start in starts if 7.1 < start < 25] == [], "leases last 2 s"
    assert len([start for start in starts if 28 <= start < 35]) >= 0.95 * 70


def test_who_waits_too_long_for_a_driver_that_is_away_fails() -> None:
    async def scenario() -> tuple[float, RetryableError, int]:
        world = World(Quota(600))
        world.network.cut = True
        send = world.send(world.worker(patience_s=10))
        began = now_s()
        with pytest.raises(RetryableError) as caught:
            await send(request())
        return now_s() - began, caught.value, len(world.network.asks)

    waited_s, error, asks = run(scenario())
    assert error.reason == "quota_unreachable"
    assert 10 <= waited_s < 13
    assert asks < 15, "it asks less and less often"


def test_everyone_is_patient_with_the_driver_for_as_long() -> None:
    async def scenario() -> list[float]:
        world = World(Quota(600))
        world.network.cut = True
        send = world.send(world.worker(patience_s=10))

        async def failing(after_s: float) -> float:
            await asyncio.sleep(after_s)
            began = now_s()
            with pytest.raises(RetryableError):
                await send(request())
            return now_s() - began

        return await asyncio.gather(*(failing(after_s) for after_s in (0, 4, 8)))

    assert all(10 <= waited_s < 13 for waited_s in run(scenario()))


def test_leases_count_from_the_ask_not_from_the_answer() -> None:
    async def scenario() -> list[bool]:
        world = World(Quota(concurrency=8))
        world.network.delay_s = 1.0
        leases, found = world.worker(), []
        leases.answered(await leases.take("m", lambda: 0), None)
        world.network.cut = True
        for _ in range(2):
            permit = leases.take_now("m", 0)
            found.append(permit is not None)
            if permit is not None:
                leases.answered(permit, None)
            await asyncio.sleep(1.05)
        return found

    assert run(scenario()) == [True, False]


@pytest.mark.parametrize("quota", [Quota(6_000), Quota(concurrency=20)])
def test_a_wish_for_a_pause_stops_every_worker(quota: Quota) -> None:
    async def scenario() -> list[float]:
        provider = Provider()
        world = World(quota, provider)
        work = asyncio.gather(*(keep_busy(world.complete(), 10) for _ in range(3)))
        await asyncio.sleep(2)
        provider.per_minute, provider._level = 0.001, 0.0
        await asyncio.sleep(0.2)
        provider.per_minute = None
        await asyncio.sleep(30)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        return provider.starts

    starts = run(scenario())
    assert [start for start in starts if 2.8 < start < 32.0] == []


def test_permits_that_find_no_place_are_given_back_in_time() -> None:
    async def scenario() -> int:
        world = World(Quota(600, concurrency=2), Provider(latency_s=10))
        await for_a_while(60, *(keep_busy(world.complete(), 5) for _ in range(2)))
        return world.quotas.status()["e"].expired

    assert run(scenario()) == 0


def test_a_place_that_becomes_free_is_taken_at_once() -> None:
    async def scenario() -> float:
        world = World(Quota(concurrency=1), Provider(latency_s=0.01))
        send, began = world.send(), now_s()
        await asyncio.gather(*(send(request()) for _ in range(30)))
        return now_s() - began

    assert run(scenario()) < 0.7


def test_a_large_request_gets_a_permit_of_its_own() -> None:
    async def scenario() -> tuple[float, object]:
        world = World(Quota(tokens_per_minute=600_000))
        leases = world.worker()
        for _ in range(200):
            permit = leases.take_now("m", 10) or await leases.take("m", lambda: 10)
            await asyncio.sleep(0.01)
            leases.answered(permit, 10)
        began = now_s()
        large = asyncio.ensure_future(leases.take("m", lambda: 5_000))
        await asyncio.sleep(0)
        small = leases.take_now("m", 10)
        await asyncio.wait_for(large, 10)
        return now_s() - began, small

    waited_s, small = run(scenario())
    assert waited_s < 0.5
    assert small is None, "nobody passes one who waits"


def test_a_long_wait_for_quota_is_not_cut_short_by_a_short_absence() -> None:
    async def scenario() -> tuple[str | None, float]:
        world = World(Quota(1))
        leases = world.worker(patience_s=10)
        send = world.send(leases)
        await send(request())
        began = now_s()
        waiting = asyncio.ensure_future(send(request()))
        await asyncio.sleep(30)
        for _ in range(2):
            world.network.cut = True
            await asyncio.sleep(8)
            world.network.cut = False
            await asyncio.sleep(4)
        return (await waiting).text, now_s() - began

    text, waited_s = run(scenario())
    assert text == "Because."
    assert 55 < waited_s < 70


def test_a_cancelled_request_leaves_its_place_to_the_next() -> None:
    async def scenario() -> int:
        world = World(Quota(60, concurrency=1), Provider(latency_s=0.1))
        send = world.send()
        tasks = [asyncio.ensure_future(send(request())) for _ in range(20)]
        await asyncio.sleep(0.5)
        for task in tasks[:19]:
            task.cancel()
        await asyncio.wait_for(tasks[19], 10)
        return len(world.provider.starts)

    assert run(scenario()) <= 3


async def test_a_permit_that_comes_as_its_request_is_cancelled_is_not_lost() -> None:
    waiters, given_up = Waiters(), list[Permit]()
    waiting = asyncio.ensure_future(waiters.wait("m", lambda: 0, 0.0, given_up.append))
    await asyncio.sleep(0)
    waiters.serve(lambda model, tokens: Permit(1, 2, 3))
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert given_up == [Permit(1, 2, 3)]


async def test_no_permit_is_spent_on_a_request_that_has_been_cancelled() -> None:
    waiters, started = Waiters(), list[str]()
    waiting = asyncio.ensure_future(waiters.wait("m", lambda: 0, 0.0, lambda permit: None))
    await asyncio.sleep(0)
    waiting.cancel()
    waiters.serve(lambda model, tokens: started.append(model))
    await asyncio.gather(waiting, return_exceptions=True)
    assert started == []
    assert not waiters


def test_who_waits_first_goes_first_also_between_models() -> None:
    async def scenario() -> list[str]:
        world = World(Quota(concurrency=1))
        leases, order = world.worker(), list[str]()

        async def one(model: str) -> None:
            permit = await leases.take(model, lambda: 0)
            order.append(model)
            await asyncio.sleep(0.01)
            leases.answered(permit, None)

        tasks = []
        for n in range(12):
            tasks.append(asyncio.ensure_future(one("ab"[n % 2])))
            await asyncio.sleep(0.001)
        await asyncio.gather(*tasks)
        return order

    assert run(scenario()) == ["a", "b"] * 6


def test_a_worker_that_was_stopped_starts_nothing_on_old_leases() -> None:
    async def scenario() -> tuple[object, object]:
        world = World(Quota(6_000))
        leases = world.worker()
        await for_a_while(1.0, keep_busy(world.complete(leases), 3))
        at_hand = leases.take_now(request().model, 0)
        world.network.cut = True
        await asyncio.sleep(2.1)
        return at_hand, leases.take_now(request().model, 0)

    at_hand, too_late = run(scenario())
    assert at_hand is not None
    assert too_late is None


def test_a_refusal_reaches_the_driver_at_once() -> None:
    async def scenario() -> float:
        world = World(Quota(600), Provider(0.0, 0))
        send = world.send()
        with pytest.raises(RetryableError):
            await send(request())
        await asyncio.sleep(0.02)
        return world.share

    assert run(scenario()) < 1.0


def test_word_of_what_is_left_is_passed_on_once() -> None:
    async def scenario() -> tuple[float, list[Remaining]]:
        world = World(Quota(600))
        leases = world.worker()
        permit = await leases.take("m", lambda: 0)
        leases.left(Remaining(10, 10.0), None)
        await asyncio.sleep(3)
        told = [ask.requests_left for ask in world.network.asks if ask.requests_left]
        leases.answered(permit, None)
        return world.share, told

    share, told = run(scenario())
    assert share == pytest.approx(0.1)
    assert told == [Remaining(10, 10.0)]


def test_an_error_nobody_foresaw_reaches_those_who_wait(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        world = World(Quota(600))

        async def broken(ask: Any) -> Grant:  # noqa: ANN401
            raise ValueError("a bug")

        leases = world.worker()
        leases._exchange = broken
        with pytest.raises(ValueError, match="a bug"):
            await leases.take("m", lambda: 0)

    run(scenario())
    assert "asking for quota failed" in caplog.text
