"""Workers, driver and provider together, for minutes of virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from streaming_eval.inference.quota.quotas import Quota
from tests.inference.quota.quota_workers import worst_excess
from tests.inference.quota.quota_world import Provider, World, for_a_while, keep_busy
from tests.inference.requests import request
from tests.inference.virtual_time import run

CALLERS = (100, 10, 10, 10)


def busy(world: World) -> list[Coroutine[Any, Any, None]]:
    return [keep_busy(world.complete(), callers) for callers in CALLERS]


@pytest.mark.parametrize(("per_minute", "seconds"), [(6, 300), (60, 60), (600, 30), (12_000, 5)])
def test_a_real_quota_is_used_whole_and_never_exceeded(per_minute: int, seconds: int) -> None:
    async def scenario() -> tuple[list[float], int]:
        world = World(Quota(per_minute), Provider(per_minute, burst=2 + per_minute / 60))
        await for_a_while(seconds, *busy(world))
        return world.provider.starts, len(world.provider.refused)

    starts, refused = run(scenario())
    assert refused == 0
    assert worst_excess(starts, per_minute / 60) <= 1 + per_minute / 60
    assert len(starts) >= 0.95 * per_minute / 60 * seconds


@pytest.mark.parametrize("retry_after", [True, False])
@pytest.mark.parametrize(
    ("per_minute", "burst", "latency_s"),
    [(600, 5, 0.05), (600, 5, 3.0), (600, 30, 0.05), (3_000, 25, 1.0)],
)
def test_half_the_quota_is_found_within_30_s_and_kept_to(
    per_minute: int, burst: int, latency_s: float, retry_after: bool
) -> None:
    async def scenario() -> Provider:
        provider = Provider(per_minute / 2, burst, retry_after=retry_after, latency_s=latency_s)
        await for_a_while(120, *busy(World(Quota(per_minute), provider)))
        return provider

    provider = run(scenario())
    late = [start for start in provider.starts if start > 30]
    refused = [start for start in provider.refused if start > 30]
    assert len(refused) < 0.02 * len(late)
    assert len(late) - len(refused) >= 0.9 * 90 * per_minute / 2 / 60


def test_when_the_provider_allows_more_again_more_is_sent() -> None:
    async def scenario() -> tuple[float, float]:
        provider = Provider(60, 1)
        world = World(Quota(600), provider)
        work = asyncio.gather(*busy(world))
        await asyncio.sleep(40)
        low = world.share
        provider.per_minute = 600
        await asyncio.sleep(330)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        return low, world.share

    low, high = run(scenario())
    assert low < 0.15
    assert high > 0.85


def test_after_an_outage_the_whole_quota_is_used_again() -> None:
    async def scenario() -> tuple[float, float]:
        provider = Provider(0.0, 0, retry_after=False)
        world = World(Quota(600), provider)
        work = asyncio.gather(*busy(world))
        await asyncio.sleep(60)
        low = world.share
        provider.per_minute = None
        await asyncio.sleep(60)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        return low, world.share

    low, high = run(scenario())
    assert low < 0.1
    assert high == 1.0


def test_skewed_work_uses_the_whole_quota() -> None:
    async def scenario() -> tuple[float, int]:
        world = World(Quota(600))
        completes = [world.complete() for _ in range(4)]
        work = [request(str(n)) for n in range(300)]
        began = asyncio.get_running_loop().time()
        await asyncio.gather(
            *(completes[0](one) for one in work),
            *(complete(one) for complete in completes[1:] for one in work[:30]),
        )
        return asyncio.get_running_loop().time() - began, len(world.provider.starts)

    took_s, calls = run(scenario())
    assert calls == 390
    assert calls >= 0.95 * 10 * took_s


def test_no_more_are_under_way_than_allowed_and_all_places_are_used() -> None:
    async def scenario() -> Provider:
        world = World(Quota(concurrency=16), Provider(latency_s=1.0))
        await for_a_while(60, *busy(world))
        return world.provider

    provider = run(scenario())
    assert provider.most_under_way == 16
    assert len(provider.starts) >= 0.9 * 16 * 60


def test_workers_that_outnumber_the_places_all_have_their_turn() -> None:
    async def scenario() -> tuple[list[int], int]:
        world = World(Quota(concurrency=2), Provider(latency_s=0.5))
        calls = [0] * 8

        def counted(n: int) -> Coroutine[Any, Any, None]:
            complete = world.complete()

            async def count(asked: Any) -> None:  # noqa: ANN401
                await complete(asked)
                calls[n] += 1

            return keep_busy(count, 5)

        await for_a_while(60, *(counted(n) for n in range(8)))
        return calls, world.provider.most_under_way

    calls, most = run(scenario())
    assert most == 2
    assert min(calls) >= 0.5 * max(calls)


def test_when_a_worker_dies_the_others_soon_have_the_whole_quota() -> None:
    async def scenario() -> list[float]:
        world = World(Quota(600))
        work = busy(world)
        doomed = asyncio.ensure_future(work[0])
        others = asyncio.gather(*work[1:])
        await asyncio.sleep(10)
        exchange, dead = world.network.exchange, "w0"

        async def cut_off(ask: Any) -> Any:  # noqa: ANN401
            if ask.worker == dead:
                await asyncio.Event().wait()
            return await exchange(ask)

        world.leases[0]._exchange = cut_off  # a process that is gone asks nothing
        doomed.cancel()
        await asyncio.sleep(20)
        others.cancel()
        await asyncio.gather(doomed, others, return_exceptions=True)
        return world.provider.starts

    starts = run(scenario())
    assert worst_excess(starts, 10.0) <= 11
    assert len([start for start in starts if 12 <= start < 30]) >= 0.95 * 180
