"""Serves the driver's quota to the workers of its own run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web

from streaming_eval.adapters.quota_wire import (
    MAX_ASK_BYTES,
    PATH,
    SIGNATURE,
    QuotaAddress,
    decode_ask,
    encode_grant,
    signed,
)
from streaming_eval.inference.quota import Quotas, QuotaStatus

MAX_CONNECTIONS = 1_024

_READ_S = 5.0
_GRACE_S = 0.1
_IDLE_S = 60.0
_MAX_LINE_BYTES = 2_048


class QuotaServer:
    """One HTTP endpoint in a thread of its own. Whatever is sent to it, it goes on serving.

    401 answers what is not signed with the secret, 413 what is too long, 400 what is no ask, 404 an
    endpoint without a quota.

    Args:
        quotas: used by this server alone from now on.
        secret: of this run.
        host: the address to listen on; workers on other machines need one that they can reach.
        port: 0 takes any that is free.
    """

    def __init__(self, quotas: Quotas, secret: str, host: str = "127.0.0.1", port: int = 0) -> None:
        self._quotas, self._secret, self._host, self._port = quotas, secret, host, port
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="quota", daemon=True)
        self._runner: web.AppRunner | None = None
        self._listener: asyncio.Server | None = None

    def start(self) -> None:
        """Listens from now on.

        Raises:
            OSError: the address cannot be bound.
        """
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()
        except OSError:
            self.stop()
            raise

    def stop(self) -> None:
        """Closes the port and every connection."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def address(self, host: str | None = None) -> QuotaAddress:
        """For the workers; `host` is how they reach this machine, where it differs."""
        name = host or self._host
        return QuotaAddress(
            f"http://[{name}]:{self._port}" if ":" in name else f"http://{name}:{self._port}",
            self._secret,
        )

    def status(self) -> Mapping[str, QuotaStatus]:
        """What is going on at each endpoint; from any thread."""
        with self._lock:
            return self._quotas.status()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _open(self) -> None:
        app = web.Application(client_max_size=MAX_ASK_BYTES)
        app.router.add_post(PATH, self._answer)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            keepalive_timeout=_IDLE_S,
            auto_decompress=False,
            max_line_size=_MAX_LINE_BYTES,
            max_field_size=_MAX_LINE_BYTES,
            shutdown_timeout=_GRACE_S,
        )
        await self._runner.setup()
        self._listener = await self._loop.create_server(self._connect, self._host, self._port)
        self._port = self._listener.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def _connect(self) -> web.RequestHandler:
        """Takes a connection; the oldest makes room, and a worker whose it was comes again."""
        assert self._runner is not None
        server = self._runner.server
        assert server is not None
        if len(server.connections) >= MAX_CONNECTIONS:
            server.connections[0].force_close()
        return server()

    async def _answer(self, request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(_READ_S):
                body = await request.read()
        except TimeoutError:
            return web.Response(status=HTTPStatus.REQUEST_TIMEOUT)
        if not signed(self._secret, body, request.headers.get(SIGNATURE, "")):
            return web.Response(status=HTTPStatus.UNAUTHORIZED)
        ask = decode_ask(body)
        if ask is None:
            return web.Response(status=HTTPStatus.BAD_REQUEST)
        with self._lock:
            if ask.endpoint not in self._quotas:
                return web.Response(status=HTTPStatus.NOT_FOUND)
            grant = self._quotas.exchange(ask)
        return web.Response(body=encode_grant(grant), content_type="application/json")
