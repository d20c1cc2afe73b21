"""Every way in which a server or a network can fail, over real connections."""

from __future__ import annotations

import asyncio
import gc
import gzip
import time
import tracemalloc
import zlib

import pytest

from streaming_eval.errors import PermanentError, RetryableError
from tests.adapters.calling import Connect, connect, failure
from tests.adapters.loopback import CHUNKED, GOOD, Answer, Loopback, Received, always, http, serving

__all__ = ["connect"]  # a fixture

BUSY = {"error": {"message": "slow down", "type": "rate_limit"}}
HALF = http(GOOD)[:-20]
BOMB = zlib.compress(b"\0" * 64_000_000, 9)

PERMANENT = {
    "not JSON": (http(b"Because."), "bad_json"),
    "truncated JSON": (http(b'{"choices":[{"mess'), "bad_json"),
    "empty body": (http(b""), "bad_json"),
    "an array": (http([GOOD]), "bad_json"),
    "NaN": (http(b'{"choices":NaN}'), "bad_json"),
    "bad UTF-8": (http(b'{"choices":"\xff"}'), "bad_json"),
    "a lone surrogate": (http(b'{"choices":"\\ud800"}'), "bad_json"),
    "nested too deep": (http(b"[" * 60_000), "bad_json"),
    "an HTML page": (http(b"<html>", content_type="text/html"), "wrong_content_type"),
    "an event stream": (http(b"data: {}", content_type="text/event-stream"), "wrong_content_type"),
    "compressed": (http(BOMB, Content_Encoding="deflate"), "wrong_content_encoding"),
    "compressed otherwise": (
        http(gzip.compress(b"\0" * 1_000_000), Content_Encoding="GZIP"),
        "wrong_content_encoding",
    ),
    "compressed twice": (http(b"{}", Content_Encoding="gzip, br"), "wrong_content_encoding"),
    "no body by status": (http(b"", status="204 No Content"), "http_204"),
    "a long reply": (http(b" " * 70_000), "too_large"),
    "a longer announced than sent": (http(b" ", Content_Length=str(10**12)), "too_large"),
    "a redirect": (http(b"", status="302 Found", Location="http://127.0.0.1:9/"), "redirect"),
    "a permanent redirect": (http(b"", status="308 Permanent Redirect"), "redirect"),
}
RETRYABLE = {
    "nothing": (b"", "connection"),
    "half a head": (b"HTTP/1.1 200 OK\r\nContent-", "connection"),
    "half a body": (HALF, "connection"),
    "bad chunk size": (CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n", "bad_http"),
    "not HTTP": (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "bad_http"),
    "garbage": (bytes(range(256)) + b"\r\n\r\n", "bad_http"),
    "a header of 1 MB": (http(GOOD, X_Padding="x" * 1_000_000), "bad_http"),
    "10,000 headers": (http(GOOD, **{f"X_{n}": "1" for n in range(10_000)}), "bad_http"),
    "bad content length": (http(GOOD, Content_Length="many"), "bad_http"),
    "half a chunk": (CHUNKED + b"40\r\n{", "connection"),
}


@pytest.mark.parametrize(("reply", "reason"), PERMANENT.values(), ids=PERMANENT.keys())
async def test_a_reply_that_cannot_be_used_is_final(
    connect: Connect, reply: bytes, reason: str
) -> None:
    async with serving(always(reply, close=True)) as server:
        error = await failure(connect(server), server)
    assert (type(error), error.reason) == (PermanentError, reason)


@pytest.mark.parametrize(("reply", "reason"), RETRYABLE.values(), ids=RETRYABLE.keys())
async def test_a_broken_connection_may_be_retried(
    connect: Connect, reply: bytes, reason: str
) -> None:
    async with serving(always(reply, close=True)) as server:
        error = await failure(connect(server), server)
    assert (type(error), error.reason) == (RetryableError, reason)


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
async def test_a_status_that_may_pass_is_retryable_and_explained(
    connect: Connect, status: int
) -> None:
    async with serving(always(http(BUSY, f"{status} Busy", Retry_After="3"))) as server:
        error = await failure(connect(server), server)
    assert isinstance(error, RetryableError)
    assert (error.reason, error.message, error.retry_after_s) == (f"http_{status}", "slow down", 3)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 413, 422, 451, 499])
async def test_a_status_that_blames_the_request_is_final(connect: Connect, status: int) -> None:
    async with serving(always(http(BUSY, f"{status} No", Retry_After="3"))) as server:
        error = await failure(connect(server), server)
    assert isinstance(error, PermanentError)
    assert (error.reason, error.message) == (f"http_{status}", "slow down")


@pytest.mark.parametrize("wish", ["soon", "", "9" * 400])
async def test_an_unusable_retry_after_is_no_wish(connect: Connect, wish: str) -> None:
    async with serving(always(http(BUSY, "429 Busy", Retry_After=wish))) as server:
        error = await failure(connect(server), server)
    assert isinstance(error, RetryableError)
    assert error.retry_after_s is None


@pytest.mark.parametrize(
    "body",
    [
        http(b"<html>", "503 Busy", "text/html"),
        http(b"x" * 10**6, "503 Busy"),
        HALF,
        http(BOMB[:60_000], "503 Busy", Content_Encoding="deflate"),
    ],
    ids=["a page", "a long page", "half a body", "a decompression bomb"],
)
async def test_the_status_of_an_error_counts_whatever_its_body(
    connect: Connect, body: bytes
) -> None:
    reply = body.replace(b"200 OK", b"503 Busy")
    async with serving(always(reply, close=True)) as server:
        error = await failure(connect(server), server)
    assert (error.reason, error.message) == ("http_503", "")


async def test_a_failed_call_holds_nothing_of_the_reply(connect: Connect) -> None:
    """Errors live on in cycles until a collection, of which there is none during a batch."""
    errors = []
    async with serving(always(CHUNKED + b"20000\r\n" + b"x" * 2**17, close=True)) as server:
        api = connect(server)
        gc.disable()
        tracemalloc.start()
        try:
            for _ in range(20):
                errors.append(await failure(api, server))
            held_bytes, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            gc.enable()
    assert {error.reason for error in errors} == {"too_large"}
    assert held_bytes < 10 * 2**16, "of twenty replies, each read beyond 64 KiB"


async def never(_: Received, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


def dribbling(data: bytes) -> Answer:
    async def answer(_: Received, writer: asyncio.StreamWriter) -> None:
        for byte in data:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.02)

    return answer


@pytest.mark.parametrize(
    "answer",
    [never, dribbling(http(GOOD)), dribbling(b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 99)],
    ids=["no reply", "byte by byte", "headers byte by byte"],
)
async def test_the_time_limit_covers_the_last_byte(connect: Connect, answer: Answer) -> None:
    async with serving(answer) as server:
        started = time.monotonic()
        error = await failure(connect(server, timeout_s=0.5), server)
        took_s = time.monotonic() - started
    assert (type(error), error.reason) == (RetryableError, "timeout")
    assert 0.5 <= took_s <= 0.8


async def test_an_error_whose_body_dribbles_keeps_its_status_and_wish(connect: Connect) -> None:
    reply = http(b"x" * 1_000, "429 Busy", Retry_After="3")
    head, body = reply.split(b"\r\n\r\n")

    async def answer(received: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(head + b"\r\n\r\n")
        await dribbling(body)(received, writer)

    async with serving(answer) as server:
        error = await failure(connect(server, timeout_s=0.3), server)
    assert isinstance(error, RetryableError)
    assert (error.reason, error.retry_after_s) == ("http_429", 3)


async def test_an_endless_reply_is_given_up_at_the_limit(connect: Connect) -> None:
    sent_bytes = 0

    async def endless(_: Received, writer: asyncio.StreamWriter) -> None:
        nonlocal sent_bytes
        writer.write(CHUNKED)
        while True:
            writer.write(b"8000\r\n" + b" " * 0x8000 + b"\r\n")
            await writer.drain()
            sent_bytes += 0x8000

    async with serving(endless) as server:
        error = await failure(connect(server), server)
        await asyncio.sleep(0.05)
    assert (type(error), error.reason) == (PermanentError, "too_large")
    assert sent_bytes < 64 * 2**20


async def test_a_decompression_bomb_is_not_inflated(connect: Connect) -> None:
    async with serving(always(http(BOMB, Content_Encoding="deflate"))) as server:
        api = connect(server)
        tracemalloc.start()
        error = await failure(api, server)
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert error.reason in ("wrong_content_encoding", "too_large")
    assert peak_bytes < 8_000_000


async def test_a_redirect_is_not_followed(connect: Connect) -> None:
    async with serving(always(http(GOOD))) as other:
        reply = http(b"", "307 Temporary Redirect", Location=f"{other.base_url}/chat/completions")
        async with serving(always(reply)) as server:
            error = await failure(connect(server), server)
    assert (error.reason, other.connections) == ("redirect", 0)


async def test_nobody_listening_may_be_retried(connect: Connect) -> None:
    async with serving(always(b"")) as gone:
        pass
    error = await failure(connect(gone), gone)
    assert (type(error), error.reason) == (RetryableError, "connection")


async def test_an_unknown_host_may_be_retried(connect: Connect) -> None:
    nowhere = Loopback("http://no-such-host.invalid/v1")
    error = await failure(connect(nowhere), nowhere)
    assert (type(error), error.reason) == (RetryableError, "dns")


async def test_a_server_without_tls_is_final(connect: Connect) -> None:
    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http(b"", "400 Bad Request"))
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        secure = Loopback(f"https://127.0.0.1:{port}/v1")
        error = await failure(connect(secure), secure)
    assert (type(error), error.reason) == (PermanentError, "tls")
