"""The server as a process: its clients, its log, its end."""

import asyncio
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest

from streaming_eval.errors import EnvironmentProblem, SettingsError
from streaming_eval.local.behaviour import Behaviour
from streaming_eval.local.call_log import read_calls
from streaming_eval.local.endpoint_process import RecordedEndpoint
from tests.local.endpoint_calls import ask, chat


async def test_a_client_that_goes_away_is_no_longer_in_flight(
    http: aiohttp.ClientSession,
) -> None:
    with RecordedEndpoint(Behaviour(latency_ms=60_000), synthetic=True) as endpoint:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(ask(http, endpoint, chat("x")), 0.5)
        await asyncio.sleep(0.2)
        assert endpoint.stats()["in_flight"] == 0


async def test_stopping_waits_for_nobody(http: aiohttp.ClientSession) -> None:
    loop = asyncio.get_running_loop()
    endpoint = RecordedEndpoint(Behaviour(latency_ms=60_000), synthetic=True).start()
    call = asyncio.create_task(ask(http, endpoint, chat("x")))
    await asyncio.sleep(0.3)
    start = loop.time()
    await asyncio.to_thread(endpoint.stop)
    with pytest.raises(aiohttp.ClientConnectionError):
        await call
    assert loop.time() - start < 3.0


async def test_the_call_log_has_every_call_once(
    http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    log = tmp_path / "calls"
    with RecordedEndpoint(Behaviour(error_rate=0.4), synthetic=True, call_log=log) as endpoint:
        for n in range(60):
            with suppress(aiohttp.ClientOSError):
                await ask(http, endpoint, chat(f"p {n % 10}", "m"))
        calls = read_calls(log)
        assert len(calls) == endpoint.stats()["calls"] == 60
    assert {call.status for call in calls if call.fault is None} == {200}
    assert {call.status for call in calls if call.fault is not None} == {0, 500, 503}
    assert len({call.body_sha256 for call in calls}) == 10
    assert {call.model for call in calls} == {"m"}
    assert [call.time_ns for call in calls] == sorted(call.time_ns for call in calls)


def test_it_comes_back_on_its_port_and_is_gone_when_stopped() -> None:
    endpoint = RecordedEndpoint().start()
    port, process = endpoint.port, endpoint.process
    endpoint.stop()
    assert not process.running
    with pytest.raises(EnvironmentProblem, match="does not answer"):
        endpoint.stats()
    with endpoint:
        assert endpoint.port == port
        assert endpoint.stats()["calls"] == 0


def test_a_taken_port_is_reported_with_the_servers_own_words(
    shared_endpoint: RecordedEndpoint,
) -> None:
    with pytest.raises(EnvironmentProblem, match="address already in use"):
        RecordedEndpoint(port=shared_endpoint.port).start()


async def test_several_processes_answer_on_one_port_and_count_together(tmp_path: Path) -> None:
    log = tmp_path / "calls"
    with RecordedEndpoint(synthetic=True, call_log=log, processes=2) as endpoint:
        for _ in range(40):  # a connection each: Linux divides connections, not requests
            async with aiohttp.ClientSession() as http:
                await ask(http, endpoint, chat("x", "m"))
        stats, children = endpoint.stats(), _children(endpoint.process.pid)
        with pytest.raises(SettingsError, match="several processes"):
            endpoint.control(latency_ms=1)
    assert stats == {"calls": 40, "by_status": {"200": 40}}
    assert len(read_calls(log)) == 40
    assert len(children) == 1
    assert not any(_stat(child) for child in children)


def test_several_processes_die_with_a_server_that_is_killed() -> None:
    with RecordedEndpoint(processes=2) as endpoint:
        (child,) = _children(endpoint.process.pid)
        os.kill(endpoint.process.pid, signal.SIGKILL)
        ends_at = time.monotonic() + 10
        while (stat := _stat(child)) and stat[0] != "Z" and time.monotonic() < ends_at:
            time.sleep(0.01)
        assert not stat or stat[0] == "Z"


@pytest.mark.parametrize(
    "behaviour", [Behaviour(error_rate=0.1), Behaviour(requests_per_minute=60)]
)
def test_several_processes_leave_nothing_to_chance_and_have_no_limit(behaviour: Behaviour) -> None:
    with pytest.raises(EnvironmentProblem, match="neither chance nor a rate limit"):
        RecordedEndpoint(behaviour, processes=2).start()


def _children(pid: int) -> list[int]:
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _stat(pid: int) -> list[str]:
    """State, parent and so on of a process; empty where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return []
