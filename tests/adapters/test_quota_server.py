"""The driver's server: who may ask, and what it withstands."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import aiohttp
import pytest

from streaming_eval.adapters import quota_server
from streaming_eval.adapters.quota_client import QuotaClient, open_quota_session
from streaming_eval.adapters.quota_server import QuotaServer
from streaming_eval.adapters.quota_wire import (
    MAX_ASK_BYTES,
    PATH,
    SIGNATURE,
    QuotaAddress,
    encode_ask,
    new_secret,
    sign,
)
from streaming_eval.errors import RetryableError
from streaming_eval.inference.quota.messages import Ask
from streaming_eval.inference.quota.quotas import Quota, Quotas

ASK = Ask("w", "e", 1, wanted={"m": (0, 0)})


@pytest.fixture
def server() -> Iterator[QuotaServer]:
    quota = QuotaServer(Quotas({"e": Quota(6_000)}, time.monotonic), new_secret())
    quota.start()
    yield quota
    quota.stop()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_quota_session() as opened:
        yield opened


async def post(
    session: aiohttp.ClientSession,
    address: QuotaAddress,
    body: bytes,
    signature: str | None = None,
    path: str = PATH,
) -> int:
    headers = {SIGNATURE: sign(address.secret, body) if signature is None else signature}
    async with session.post(address.url + path, data=body, headers=headers) as reply:
        return reply.status


async def test_an_ask_is_granted(server: QuotaServer, session: aiohttp.ClientSession) -> None:
    await asyncio.sleep(0.02)
    grant = await QuotaClient(session, server.address()).exchange(ASK)
    assert grant.permits == {"m": (0, 0)}
    assert grant.metered
    assert server.status()["e"].workers == 1


@pytest.mark.parametrize("signature", ["", "0" * 64, "é", sign("another secret", encode_ask(ASK))])
async def test_who_does_not_know_the_secret_gets_nothing(
    server: QuotaServer, session: aiohttp.ClientSession, signature: str
) -> None:
    assert await post(session, server.address(), encode_ask(ASK), signature) == 401
    assert server.status()["e"].workers == 0


async def test_a_signature_fits_one_body_only(
    server: QuotaServer, session: aiohttp.ClientSession
) -> None:
    address = server.address()
    signature = sign(address.secret, encode_ask(ASK))
    assert await post(session, address, encode_ask(ASK) + b" ", signature) == 401


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\x00",
        b"[" * 100_000,
        b"null",
        b'{"worker":"w","endpoint":"e"}',
        b'{"worker":"w","endpoint":"e","number":-1}',
        b'{"worker":"w","endpoint":"e","number":1e999}',
        b'{"worker":"w","endpoint":"e","number":"1"}',
        b'{"worker":"w","endpoint":"e","number":' + b"9" * 5_000 + b"}",
        b'{"worker":"w","endpoint":"e","number":1,"pause_s":NaN}',
        b'{"worker":"w","endpoint":"e","number":1,"wanted":{"m":[-5]}}',
        b'{"worker":"w","endpoint":"e","number":1,"wanted":{"m":[' + b"0," * 300 + b"0]}}",
        b'{"worker":"' + b"w" * 5_000 + b'","endpoint":"e","number":1}',
    ],
)
async def test_what_is_no_ask_is_refused(
    server: QuotaServer, session: aiohttp.ClientSession, body: bytes
) -> None:
    assert await post(session, server.address(), body) == 400
    assert await post(session, server.address(), encode_ask(ASK)) == 200, "it goes on serving"


async def test_other_refusals(server: QuotaServer, session: aiohttp.ClientSession) -> None:
    address = server.address()
    assert await post(session, address, b" " * (MAX_ASK_BYTES + 1)) == 413
    assert await post(session, address, encode_ask(Ask("w", "unknown", 1))) == 404
    assert await post(session, address, encode_ask(ASK), path="/") == 404
    async with session.get(address.url + PATH) as reply:
        assert reply.status == 405
    body = encode_ask(ASK)
    headers = {SIGNATURE: sign(address.secret, body), "Content-Encoding": "gzip"}
    async with session.post(address.url + PATH, data=body, headers=headers) as reply:
        assert reply.status == 200, "nothing is inflated"


def connect(address: QuotaAddress) -> socket.socket:
    parts = urlsplit(address.url)
    return socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=5)


@pytest.mark.parametrize("sent", [b"", b"\x00\xff" * 500, b"POST " + b"/" * 9_000, b"POST /v1/q"])
async def test_connections_that_send_nonsense_or_nothing_disturb_nobody(
    server: QuotaServer, session: aiohttp.ClientSession, sent: bytes
) -> None:
    connections = [connect(server.address()) for _ in range(20)]
    for connection in connections:
        connection.sendall(sent)
    assert await post(session, server.address(), encode_ask(ASK)) == 200
    for connection in connections:
        connection.close()


async def test_when_there_are_too_many_connections_the_oldest_make_room(
    server: QuotaServer, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quota_server, "MAX_CONNECTIONS", 5)
    connections = [connect(server.address()) for _ in range(20)]
    assert await post(session, server.address(), encode_ask(ASK)) == 200
    connections.append(connect(server.address()))
    assert await post(session, server.address(), encode_ask(ASK)) == 200
    assert await asyncio.to_thread(connections[0].recv, 1) == b"", "closed"
    for connection in connections:
        connection.close()


async def test_a_body_that_does_not_come_is_not_waited_for(
    server: QuotaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quota_server, "_READ_S", 0.05)
    with connect(server.address()) as connection:
        connection.sendall(f"POST {PATH} HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n".encode())
        reply = await asyncio.to_thread(connection.recv, 100)
    assert reply.startswith(b"HTTP/1.1 408 ")


def test_a_port_that_is_taken_is_an_error_at_once(server: QuotaServer) -> None:
    port = int(urlsplit(server.address().url).port or 0)
    quotas = Quotas({"e": Quota(60)}, time.monotonic)
    threads = threading.active_count()
    with pytest.raises(OSError, match="address"):
        QuotaServer(quotas, new_secret(), port=port).start()
    assert threading.active_count() == threads


def test_a_stopped_server_is_gone() -> None:
    quota = QuotaServer(Quotas({"e": Quota(60)}, time.monotonic), new_secret())
    quota.start()
    address = quota.address()
    quota.stop()
    with pytest.raises(ConnectionRefusedError):
        connect(address)


def test_the_address_can_be_given_another_host_and_hides_the_secret(server: QuotaServer) -> None:
    address = server.address("fd00::1")
    assert address.url.startswith("http://[fd00::1]:")
    assert address.secret not in repr(address)
    assert len({new_secret() for _ in range(100)}) == 100


async def test_a_bug_in_the_quota_is_an_error_for_the_worker_and_no_end_of_service(
    session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Quotas):
        broken = True

        def exchange(self, ask: Ask) -> object:  # type: ignore[override]
            if self.broken:
                raise ZeroDivisionError
            return super().exchange(ask)

    quotas = Broken({"e": Quota(60)}, time.monotonic)
    server = QuotaServer(quotas, new_secret())
    server.start()
    client = QuotaClient(session, server.address())
    with pytest.raises(RetryableError) as caught:
        await client.exchange(ASK)
    quotas.broken = False
    await client.exchange(ASK)
    server.stop()
    assert caught.value.reason == "quota_unreachable"
    assert "ZeroDivisionError" in caplog.text
