"""Worker processes, the driver's server and a counting endpoint, all real."""

from __future__ import annotations

import asyncio
import sys
import time
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest

from streaming_eval.adapters.quota_server import QuotaServer
from streaming_eval.adapters.quota_wire import QuotaAddress, new_secret
from streaming_eval.inference.quota.lease_book import LATE_S
from streaming_eval.inference.quota.quotas import Quota, Quotas
from streaming_eval.local.rate_limit import RateLimit
from tests.adapters.loopback import GOOD, Loopback, Received, http, serving
from tests.inference.quota.quota_workers import worst_excess

pytestmark = pytest.mark.slow


@contextmanager
def driver(quota: Quota) -> Iterator[QuotaServer]:
    server = QuotaServer(Quotas({"e": quota}, time.monotonic), new_secret())
    server.start()
    try:
        yield server
    finally:
        server.stop()


class CountingEndpoint:
    """When requests came, and which of them were too many."""

    def __init__(self, per_minute: float | None = None) -> None:
        self._limit = per_minute and RateLimit(per_minute, 0, time.monotonic())
        self.starts: list[float] = []
        self.refused: list[float] = []

    async def __call__(self, received: Received, writer: asyncio.StreamWriter) -> None:
        self.starts.append(time.monotonic())
        if self._limit and self._limit.take(self.starts[-1]):
            self.refused.append(self.starts[-1])
            writer.write(http({"error": {"message": "slow down"}}, "429 Too Many Requests"))
        else:
            await asyncio.sleep(0.02)
            writer.write(http(GOOD))


@asynccontextmanager
async def workers(
    server: Loopback, address: QuotaAddress, shares: list[int]
) -> AsyncIterator[list[Process]]:
    """A process for each share of the calls, all of them at the start line."""
    command = (sys.executable, "-m", "tests.adapters.quota_worker", server.base_url, address.url)
    processes = [
        await create_subprocess_exec(*command, str(calls), stdin=PIPE, stdout=PIPE)
        for calls in shares
    ]
    try:
        for process in processes:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{address.secret}\n".encode())
            assert await process.stdout.readline() == b"ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(b"go\n")
        yield processes
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
            await process.communicate()


async def test_four_processes_with_skewed_work_use_one_quota_and_keep_to_it() -> None:
    endpoint = CountingEndpoint()
    with driver(Quota(requests_per_minute=1_800)) as quota:
        async with (
            serving(endpoint) as server,
            workers(server, quota.address(), [100, 10, 10, 10]) as processes,
        ):
            assert [await process.wait() for process in processes] == [0] * 4
        expired = quota.status()["e"].expired
    assert len(endpoint.starts) == 130
    assert worst_excess(endpoint.starts, 30.0) <= 31
    took_s = endpoint.starts[-1] - endpoint.starts[0]
    assert 0.95 * 30 * took_s <= 130
    assert expired == 0


async def test_a_killed_process_frees_its_share_but_never_its_permits() -> None:
    endpoint = CountingEndpoint()
    with driver(Quota(requests_per_minute=1_800)) as quota:
        async with (
            serving(endpoint) as server,
            workers(server, quota.address(), [500, 80]) as (doomed, heir),
        ):
            await asyncio.sleep(0.5)
            doomed.kill()
            killed_at = time.monotonic()
            assert await heir.wait() == 0
    assert worst_excess(endpoint.starts, 30.0) <= 31
    after = [start for start in endpoint.starts if start > killed_at + LATE_S + 0.2]
    assert len(after) >= 0.9 * 30 * (after[-1] - after[0]) > 0


async def test_a_server_that_allows_half_is_found_out() -> None:
    endpoint = CountingEndpoint(per_minute=600)
    with driver(Quota(requests_per_minute=1_200)) as quota:
        async with (
            serving(endpoint) as server,
            workers(server, quota.address(), [36, 6, 6, 6]) as processes,
        ):
            assert [await process.wait() for process in processes] == [0] * 4
        share = quota.status()["e"].share
    assert len(endpoint.starts) - len(endpoint.refused) == 54
    assert 0.1 < share < 0.8
    late = endpoint.starts[0] + 2.0
    assert len([start for start in endpoint.refused if start > late]) <= 4
