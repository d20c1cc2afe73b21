"""What can go wrong before a model API has said anything: names, certificates, redirects."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import time
from pathlib import Path
from shutil import which

import pytest

from streaming_eval.adapters.http_exchange import open_session
from streaming_eval.adapters.model_apis import MODEL_APIS
from streaming_eval.errors import PermanentError, RetryableError
from streaming_eval.inference.calls.retry import with_retry
from tests.adapters.api_cases import CASES, calling, connected, one_input
from tests.adapters.loopback import Answer, Loopback, Received, always, http, serving
from tests.adapters.test_http_exchange import never
from tests.adapters.test_model_api_faults import TIME_LIMIT_S, failure

every_api = pytest.mark.parametrize("name", MODEL_APIS)


def self_signed(directory: Path) -> ssl.SSLContext:
    """A server's certificate that no authority has signed."""
    key, certificate = directory / "key.pem", directory / "certificate.pem"
    made = ["-keyout", str(key), "-out", str(certificate), "-subj", "/CN=127.0.0.1", "-nodes"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    subprocess.run(["openssl", "req", "-x509", *curve, *made], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


@every_api
async def test_an_unknown_host_may_be_retried(name: str) -> None:
    nowhere = Loopback("http://no-such-host.invalid/v1")
    async with open_session(1) as session:
        error = await failure(connected(name, nowhere, session), nowhere)
    assert (type(error), error.reason) == (RetryableError, "dns")


@every_api
async def test_a_server_without_tls_is_final(name: str) -> None:
    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http(b"", "400 Bad Request"))
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with server, open_session(1) as session:
        secure = Loopback(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
        error = await failure(connected(name, secure, session), secure)
    assert (type(error), error.reason) == (PermanentError, "tls")


@every_api
@pytest.mark.skipif(which("openssl") is None, reason="openssl makes the certificate")
async def test_a_certificate_that_nobody_vouches_for_is_final(name: str, tmp_path: Path) -> None:
    async def greedy(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(1)
        writer.write(http(CASES[name].good))

    seen: list[int] = []
    server = await asyncio.start_server(greedy, "127.0.0.1", 0, ssl=self_signed(tmp_path))
    async with server, open_session(1) as session:
        secure = Loopback(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
        error = await failure(connected(name, secure, session), secure)
    assert (type(error), error.reason) == (PermanentError, "tls")
    assert seen == [], "the key has not been sent"


@every_api
async def test_a_server_that_never_ends_the_tls_handshake_meets_the_time_limit(name: str) -> None:
    async with serving(never) as silent, open_session(1) as session:
        secure = Loopback(silent.base_url.replace("http:", "https:"))
        started = time.monotonic()
        error = await failure(connected(name, secure, session, timeout_s=TIME_LIMIT_S), secure)
    assert (type(error), error.reason) == (RetryableError, "timeout")
    assert time.monotonic() - started <= TIME_LIMIT_S + 0.3


@every_api
async def test_a_redirect_to_another_host_is_not_followed(name: str) -> None:
    async with calling(name, always(http(CASES[name].good))) as (_, other):
        away = http(b"", "307 Temporary Redirect", Location=other.base_url + CASES[name].path)
        async with calling(name, always(away)) as (api, server):
            error = await failure(api, server)
        assert (error.reason, other.connections) == ("redirect", 0)


@every_api
async def test_a_server_that_closes_kept_connections_answers_in_the_end(name: str) -> None:
    def answering(received: list[int]) -> Answer:
        async def answer(_: Received, writer: asyncio.StreamWriter) -> None:
            received.append(1)
            if len(received) % 2:
                writer.close()  # the client believed that it could use the connection again
            else:
                writer.write(http(CASES[name].good))

        return answer

    async with calling(name, answering([])) as (api, server):
        complete = with_retry(
            api.send,
            max_attempts=3,
            deadline_s=10,
            sleep=lambda _: asyncio.sleep(0),
            random=lambda: 0.5,
            clock=time.monotonic,
        )
        responses = [await complete(one_input(server.request(str(n)))) for n in range(5)]
    assert [response.text for response in responses] == [CASES[name].text] * 5
    assert [response.attempts for response in responses] == [2] * 5
