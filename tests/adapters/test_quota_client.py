"""A worker's way to the driver, whatever is at the other end."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import AsyncIterator

import aiohttp
import pytest

from streaming_eval.adapters import quota_client
from streaming_eval.adapters.quota_client import QuotaClient, open_quota_session
from streaming_eval.adapters.quota_server import QuotaServer
from streaming_eval.adapters.quota_wire import QuotaAddress, decode_ask, encode_grant, signed
from streaming_eval.errors import RetryableError
from streaming_eval.inference.quota.messages import Ask, Grant, LeaseUse, Remaining
from streaming_eval.inference.quota.quotas import Quota, Quotas
from streaming_eval.inference.quota.with_quota import with_quota
from tests.adapters.loopback import Loopback, always, http, serving
from tests.inference.calls.scripted import ScriptedSend, answer
from tests.inference.requests import request

SECRET = "canary-4242"
ASK = Ask(
    "w",
    "e",
    7,
    wanted={"m": (10, 20)},
    uses=(LeaseUse(3, 1, 10, 2, 20),),
    extra_tokens=-5,
    pause_s=1.5,
    requests_left=Remaining(9, 2.5),
)
GRANT = Grant(4, {"m": (10, 20)}, True, None, 2.0, 0.1, 0.0, 1)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_quota_session() as opened:
        yield opened


def client(session: aiohttp.ClientSession, server: Loopback) -> QuotaClient:
    url = server.base_url.removesuffix("/v1")
    return QuotaClient(session, QuotaAddress(url, SECRET), patience_s=0.2)


async def test_an_ask_goes_out_whole_and_signed_and_the_grant_comes_back(
    session: aiohttp.ClientSession,
) -> None:
    async with serving(always(http(encode_grant(GRANT)))) as server:
        assert await client(session, server).exchange(ASK) == GRANT
    (sent,) = server.received
    assert sent.line == "POST /v1/quota HTTP/1.1"
    assert decode_ask(sent.body) == ASK
    assert signed(SECRET, sent.body, sent.headers["x-signature"])
    assert SECRET not in f"{sent.line} {sent.headers} {sent.body!r}"


@pytest.mark.parametrize(
    "reply",
    [
        http(b"", "401 Unauthorized"),
        http(b"", "500 Internal Server Error"),
        http(encode_grant(GRANT), "500 Internal Server Error"),
        http(b"", "302 Found", Location="http://127.0.0.1:1/"),
        http(b""),
        http(b"{}"),
        http(b"\xff"),
        http(encode_grant(GRANT).replace(b"2.0", b"-1.0")),
        http(encode_grant(GRANT).replace(b"2.0", b"NaN")),
        http(b" " * (2**22 + 1)),
        b"not HTTP at all\r\n\r\n",
    ],
)
async def test_what_is_no_grant_is_as_good_as_no_driver(
    session: aiohttp.ClientSession, reply: bytes
) -> None:
    async with serving(always(reply, close=True)) as server:
        with pytest.raises(RetryableError) as caught:
            await client(session, server).exchange(ASK)
    assert caught.value.reason == "quota_unreachable"
    assert SECRET not in "".join(traceback.format_exception(caught.value))


async def test_an_ask_is_not_carried_to_another_host(session: aiohttp.ClientSession) -> None:
    async with serving(always(http(encode_grant(GRANT)))) as other:
        moved = http(b"", "307 Temporary Redirect", Location=other.base_url)
        async with serving(always(moved)) as server:
            with pytest.raises(RetryableError):
                await client(session, server).exchange(ASK)
    assert other.received == []


async def test_a_driver_that_does_not_answer_is_not_waited_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def silent(*_: object) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(quota_client, "_TIMEOUT_S", 0.1)
    async with open_quota_session() as session, serving(silent) as server:
        began = time.monotonic()
        with pytest.raises(RetryableError, match="Timeout"):
            await client(session, server).exchange(ASK)
    assert time.monotonic() - began < 1.0


async def test_without_a_driver_nothing_is_sent(session: aiohttp.ClientSession) -> None:
    send = ScriptedSend(answer())
    leases = QuotaClient(session, QuotaAddress("http://127.0.0.1:9", SECRET), 0.2).leases("e")
    with pytest.raises(RetryableError) as caught:
        await with_quota(send, leases)(request())
    assert (caught.value.reason, send.asked) == ("quota_unreachable", [])


async def test_a_driver_that_comes_back_is_found(session: aiohttp.ClientSession) -> None:
    first = QuotaServer(Quotas({"e": Quota(6_000)}, time.monotonic), SECRET)
    first.start()
    address = first.address()
    leases = QuotaClient(session, address).leases("e")
    send = with_quota(ScriptedSend(answer()), leases)
    await send(request())
    await leases.settle()
    first.stop()
    waiting = asyncio.ensure_future(send(request()))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    port = int(address.url.rpartition(":")[2])
    second = QuotaServer(Quotas({"e": Quota(6_000)}, time.monotonic), SECRET, port=port)
    second.start()
    assert (await asyncio.wait_for(waiting, 5)).text == "Because."
    await leases.settle()
    second.stop()
