"""When an endpoint is left alone, who finds out that it is well again, and who waits meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest

from streaming_eval.errors import InferenceError, PermanentError, RetryableError
from streaming_eval.inference.calls.breaker import Breaker, BreakerLimits, CircuitState
from streaming_eval.inference.complete import Send
from streaming_eval.records import Response
from tests.inference.fake_endpoint import DOWN, FakeEndpoint, Reply, steady
from tests.inference.fake_loop import STARTED_AT, now_s, on_fake_time
from tests.inference.requests import request

LIMITS = BreakerLimits(
    failure_ratio=0.5,
    least_outcomes=10,
    most_outcomes=50,
    window_s=30,
    first_pause_s=1,
    longest_pause_s=8,
    patience_s=60,
)


def breaker(limits: BreakerLimits = LIMITS, random: float = 0.0) -> Breaker:
    return Breaker(limits, clock=now_s, random=lambda: random)


async def outcome(send: Send) -> Response | InferenceError:
    try:
        return await send(request())
    except InferenceError as error:
        return error


async def opened(circuit: Breaker) -> None:
    for _ in range(LIMITS.least_outcomes):
        await outcome(circuit.guarded(FakeEndpoint(lambda *_: Reply(0.01, DOWN)).send))
    assert circuit.state is CircuitState.OPEN


@pytest.mark.parametrize("reason", ["connection", "dns", "timeout", "http_500", "http_503"])
def test_failures_that_show_illness_open_it_at_the_least_count_and_not_before(reason: str) -> None:
    async def work() -> None:
        circuit = breaker()
        endpoint = FakeEndpoint(lambda *_: Reply(0.01, RetryableError(reason, "")))
        for n in range(LIMITS.least_outcomes):
            assert (circuit.state, circuit.openings) == (CircuitState.CLOSED, 0), n
            await outcome(circuit.guarded(endpoint.send))
        assert (circuit.state, circuit.openings) == (CircuitState.OPEN, 1)

    on_fake_time(work())


@pytest.mark.parametrize(
    "reason", ["http_429", "http_408", "http_400", "http_401", "bad_json", "larger_than_quota"]
)
def test_no_other_failure_ever_does(reason: str) -> None:
    async def work() -> None:
        circuit = breaker()
        endpoint = FakeEndpoint(lambda *_: Reply(0.01, PermanentError(reason, "")))
        for _ in range(200):
            await outcome(circuit.guarded(endpoint.send))
        assert circuit.state is CircuitState.CLOSED

    on_fake_time(work())


@pytest.mark.parametrize(("every", "opens"), [(2, True), (3, False)])
def test_it_is_the_rate_that_counts(every: int, opens: bool) -> None:
    async def work() -> None:
        circuit = breaker()
        endpoint = FakeEndpoint(lambda n, _: Reply(0.01, None if n % every else DOWN))
        for _ in range(300):
            if circuit.state is CircuitState.CLOSED:
                await outcome(circuit.guarded(endpoint.send))
        assert circuit.openings == opens

    on_fake_time(work())


def test_failures_of_long_ago_do_not_count() -> None:
    async def work() -> None:
        circuit = breaker()
        endpoint = FakeEndpoint(lambda *_: Reply(LIMITS.window_s / 5, DOWN))
        for _ in range(50):
            await outcome(circuit.guarded(endpoint.send))
        assert circuit.state is CircuitState.CLOSED, "never ten of them within the window"

    on_fake_time(work())


def test_an_outage_after_a_calm_hour_opens_it_as_soon_as_one_at_the_start() -> None:
    async def work() -> None:
        circuit = breaker()
        well = circuit.guarded(FakeEndpoint(steady(0.01)).send)
        ill = circuit.guarded(FakeEndpoint(lambda *_: Reply(0.01, DOWN)).send)
        for _ in range(1_000):
            await outcome(well)
        for _ in range(LIMITS.least_outcomes):
            assert circuit.state is CircuitState.CLOSED
            await outcome(ill)
        assert circuit.state is CircuitState.OPEN

    on_fake_time(work())


def test_good_outcomes_of_a_calm_hour_do_not_outweigh_one_sign_of_life_in_ten() -> None:
    async def work() -> None:
        circuit = breaker()
        well = circuit.guarded(FakeEndpoint(steady(0.01)).send)
        ill = circuit.guarded(
            FakeEndpoint(lambda n, _: Reply(0.01, DOWN if n % LIMITS.least_outcomes else None)).send
        )
        for _ in range(1_000):
            await outcome(well)
        calls = 0
        while circuit.state is CircuitState.CLOSED:
            await outcome(ill)
            calls += 1
        assert LIMITS.most_outcomes // 2 <= calls <= LIMITS.most_outcomes

    on_fake_time(work())


def test_while_it_is_open_attempts_wait_and_one_probe_lets_all_of_them_through() -> None:
    async def work() -> None:
        circuit = breaker()
        await opened(circuit)
        opened_at = now_s()
        endpoint = FakeEndpoint(steady(0.2))
        send = circuit.guarded(endpoint.send)
        outcomes = await asyncio.gather(*(outcome(send) for _ in range(20)))
        assert all(isinstance(each, Response) for each in outcomes)
        probe_at, *others_at = endpoint.began_at
        assert probe_at - opened_at == pytest.approx(1, abs=0.01)
        assert others_at == pytest.approx([probe_at + 0.2] * 19, abs=0.01)
        assert (circuit.state, circuit.refused) == (CircuitState.CLOSED, 0)

    on_fake_time(work())


def test_an_outage_longer_than_patience_ends_calls_unsent() -> None:
    async def work() -> None:
        circuit = breaker()
        await opened(circuit)
        endpoint = FakeEndpoint(lambda *_: Reply(0.01, DOWN))
        send = circuit.guarded(endpoint.send)
        began = now_s()
        outcomes = await asyncio.gather(*(outcome(send) for _ in range(20)))
        reasons = [each.reason for each in outcomes if isinstance(each, InferenceError)]
        assert reasons == ["circuit_open"] * 20
        assert (circuit.refused, len(endpoint.began_at)) == (20, 9), "nine probes, no other request"
        assert 60 <= now_s() - began < 61

    on_fake_time(work())


def test_without_patience_attempts_end_at_once() -> None:
    async def work() -> None:
        circuit = breaker(replace(LIMITS, patience_s=0))
        await opened(circuit)
        endpoint, began = FakeEndpoint(steady(0.1)), now_s()
        error = await outcome(circuit.guarded(endpoint.send))
        assert isinstance(error, PermanentError)
        assert (error.reason, endpoint.began_at, now_s()) == ("circuit_open", [], began)
        await asyncio.sleep(1.1)
        assert isinstance(await outcome(circuit.guarded(endpoint.send)), Response)

    on_fake_time(work())


@pytest.mark.parametrize("random", [0.0, 0.9])
def test_probes_come_one_at_a_time_after_doubling_pauses(random: float) -> None:
    async def work() -> list[float]:
        circuit = breaker(replace(LIMITS, patience_s=1e4), random)
        await opened(circuit)
        endpoint = FakeEndpoint(lambda n, _: Reply(0.0, DOWN if n < 7 else None))
        send = circuit.guarded(endpoint.send)
        before = now_s()
        await asyncio.gather(*(outcome(send) for _ in range(30)))
        assert endpoint.most_under_way == 29, "one by one until the eighth found it well"
        return [b - a for a, b in pairwise([before, *endpoint.began_at[:8]])]

    pauses = on_fake_time(work())
    longer = 1 + 0.5 * random
    assert pauses == pytest.approx([longer * s for s in (1, 2, 4, 8, 8, 8, 8, 8)], abs=0.02)


def test_one_that_soon_falls_ill_again_is_left_alone_for_longer() -> None:
    async def work() -> None:
        circuit = breaker()
        pauses = []
        for _ in range(3):
            await opened(circuit)
            began = now_s()
            await outcome(circuit.guarded(FakeEndpoint(steady(0)).send))
            pauses.append(now_s() - began)
        assert pauses == pytest.approx([1, 2, 4], abs=0.02)
        await asyncio.sleep(LIMITS.window_s + 1)
        await opened(circuit)
        began = now_s()
        await outcome(circuit.guarded(FakeEndpoint(steady(0)).send))
        assert now_s() - began == pytest.approx(1, abs=0.02), "after a calm time it begins anew"

    on_fake_time(work())


def test_a_reply_to_the_probe_closes_it_even_if_it_is_an_error() -> None:
    async def work() -> None:
        circuit = breaker()
        await opened(circuit)
        busy = FakeEndpoint(lambda *_: Reply(0.01, RetryableError("http_429", "")))
        await outcome(circuit.guarded(busy.send))
        assert circuit.state is CircuitState.CLOSED

    on_fake_time(work())


def test_a_failed_probe_waits_again_unless_the_server_says_for_how_long() -> None:
    async def work() -> None:
        circuit = breaker()
        await opened(circuit)
        told = RetryableError("http_503", "", retry_after_s=77)
        endpoint = FakeEndpoint(lambda n, _: Reply(0.1, (DOWN, DOWN, told)[n]))
        error = await outcome(circuit.guarded(endpoint.send))
        assert isinstance(error, RetryableError)
        assert (error.retry_after_s, len(endpoint.began_at)) == (77, 3)

    on_fake_time(work())


def test_a_probe_that_is_cut_off_hands_over_to_the_next() -> None:
    async def work() -> None:
        circuit = breaker()
        await opened(circuit)
        endpoint = FakeEndpoint(lambda n, _: Reply(1e5 if n == 0 else 0.1))
        send = circuit.guarded(endpoint.send)
        probe, *others = [asyncio.ensure_future(outcome(send)) for _ in range(5)]
        await asyncio.sleep(5)
        assert (circuit.state, endpoint.under_way) == (CircuitState.HALF_OPEN, 1)
        probe.cancel()
        assert all(isinstance(each, Response) for each in await asyncio.gather(*others))
        assert endpoint.began_at[1] - STARTED_AT == pytest.approx(5.1, abs=0.1)

    on_fake_time(work())


def test_what_began_before_it_opened_decides_nothing_afterwards() -> None:
    async def work() -> None:
        circuit = breaker()
        slow = FakeEndpoint(steady(0.5))
        early = asyncio.ensure_future(outcome(circuit.guarded(slow.send)))
        await asyncio.sleep(0.1)
        await opened(circuit)
        assert isinstance(await early, Response)
        assert circuit.state is CircuitState.OPEN

    on_fake_time(work())
