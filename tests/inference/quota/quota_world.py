"""A provider, a driver and workers in virtual time."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from streaming_eval.errors import RetryableError
from streaming_eval.inference.calls.retry import with_retry
from streaming_eval.inference.complete import Complete, Send
from streaming_eval.inference.quota.endpoint_leases import EndpointLeases
from streaming_eval.inference.quota.messages import Ask, Grant
from streaming_eval.inference.quota.quotas import Quota, Quotas
from streaming_eval.inference.quota.with_quota import with_quota
from streaming_eval.records import Request, Response
from tests.inference.calls.scripted import answer
from tests.inference.requests import request
from tests.inference.virtual_time import now_s

UNREACHABLE = RetryableError("quota_unreachable", "no driver")


class Provider:
    """Answers within about `latency_s`, as long as its own token bucket lasts.

    Args:
        per_minute: what it allows; None for anything.
        burst: the size of its bucket.
        retry_after: whether a refusal says when to come again, in whole seconds.
    """

    def __init__(
        self,
        per_minute: float | None = None,
        burst: float = 5,
        *,
        retry_after: bool = True,
        latency_s: float = 0.05,
    ) -> None:
        self.per_minute, self._burst, self._level = per_minute, burst, burst
        self._retry_after, self._latency_s = retry_after, latency_s
        self._filled_at = self._began_at = now_s()
        self._random = random.Random(7)
        self.starts: list[float] = []
        self.refused: list[float] = []
        self.under_way = self.most_under_way = 0

    async def send(self, _: Request) -> Response:
        self.starts.append(now_s() - self._began_at)
        self.under_way += 1
        self.most_under_way = max(self.under_way, self.most_under_way)
        try:
            await self._judge()
            await asyncio.sleep(self._latency_s * (0.5 + self._random.random()))
        finally:
            self.under_way -= 1
        return answer()

    async def _judge(self) -> None:
        if self.per_minute is None:
            return
        per_s, passed_s = self.per_minute / 60, now_s() - self._filled_at
        self._filled_at = now_s()
        self._level = min(self._burst, self._level + passed_s * per_s)
        if self._level < 1:
            self.refused.append(now_s() - self._began_at)
            await asyncio.sleep(0.002)
            wait_s = math.ceil((1 - self._level) / per_s) if per_s else 1.0
            raise RetryableError("http_429", "no", wait_s if self._retry_after else None)
        self._level -= 1


@dataclass
class Network:
    """The way to the driver, which takes `delay_s` there and back, and can be cut."""

    quotas: Quotas
    delay_s: float = 0.003
    cut: bool = False
    asks: list[Ask] = field(default_factory=list)

    async def exchange(self, ask: Ask) -> Grant:
        self.asks.append(ask)
        await asyncio.sleep(self.delay_s / 2)
        if self.cut:
            raise RetryableError(UNREACHABLE.reason, UNREACHABLE.message)
        grant = self.quotas.exchange(ask)
        await asyncio.sleep(self.delay_s / 2)
        return grant


class World:
    """One endpoint `e` with its quota, and as many workers as are made."""

    def __init__(self, quota: Quota, provider: Provider | None = None) -> None:
        self.provider = provider or Provider()
        self.quotas = Quotas({"e": quota}, now_s)
        self.network = Network(self.quotas)
        self.leases: list[EndpointLeases] = []

    def worker(self, patience_s: float = 30.0) -> EndpointLeases:
        leases = EndpointLeases(
            "e",
            self.network.exchange,
            worker=f"w{len(self.leases)}",
            clock=now_s,
            random=random.Random(1).random,
            patience_s=patience_s,
        )
        self.leases.append(leases)
        return leases

    def send(self, leases: EndpointLeases | None = None) -> Send:
        """One attempt with a permit, by a worker of its own."""
        return with_quota(self.provider.send, leases or self.worker())

    def complete(self, leases: EndpointLeases | None = None) -> Complete:
        """A call with retries, by a worker of its own."""
        return with_retry(
            self.send(leases),
            max_attempts=50,
            deadline_s=3_600,
            sleep=asyncio.sleep,
            random=random.Random(2).random,
            clock=now_s,
        )

    @property
    def share(self) -> float:
        return self.quotas.status()["e"].share

    async def settle(self) -> None:
        await asyncio.gather(*(leases.settle() for leases in self.leases))


async def keep_busy(complete: Callable[[Request], Awaitable[object]], callers: int) -> None:
    """So many callers, each with one call after the other, until cancelled."""

    async def call() -> None:
        while True:
            await complete(request())

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(call())


async def for_a_while(seconds: float, *work: Awaitable[object]) -> None:
    """Lets these run, then stops them."""
    tasks = [asyncio.ensure_future(one) for one in work]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
