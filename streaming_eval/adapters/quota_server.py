"""Serves the driver's quota to the workers of its own run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
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
from streaming_eval.inference.quota.quotas import Quotas, QuotaStatus

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
        self._started: Future[None] = Future()
        self._thread = threading.Thread(target=self._serve, name="quota", daemon=True)
        self._end: Callable[[], object] = lambda: None

    def start(self) -> None:
        """Listens from now on.

        Raises:
            OSError: the address cannot be bound.
        """
        self._thread.start()
        try:
            self._started.result()
        except OSError:
            self._thread.join()
            raise

    def stop(self) -> None:
        """Closes the port and every connection."""
        self._end()
        self._thread.join()

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
        try:
            asyncio.run(self._listen())
        except OSError as error:
            self._started.set_exception(error)

    async def _listen(self) -> None:
        app = web.Application(client_max_size=MAX_ASK_BYTES)
        app.router.add_post(PATH, self._answer)
        runner = web.AppRunner(
            app,
            access_log=None,
            keepalive_timeout=_IDLE_S,
            auto_decompress=False,
            max_line_size=_MAX_LINE_BYTES,
            max_field_size=_MAX_LINE_BYTES,
            shutdown_timeout=_GRACE_S,
        )
        await runner.setup()
        assert runner.server is not None
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        listener = await loop.create_server(_door(runner.server), self._host, self._port)
        self._port = listener.sockets[0].getsockname()[1]
        self._end = partial(loop.call_soon_threadsafe, ended.set)
        self._started.set_result(None)
        await ended.wait()
        listener.close()
        await runner.cleanup()

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


def _door(server: web.Server) -> Callable[[], web.RequestHandler]:
    """Takes connections; the oldest makes room for the newest, and its worker comes again."""

    def connect() -> web.RequestHandler:
        opened = server.connections
        for oldest in opened[: max(0, len(opened) + 1 - MAX_CONNECTIONS)]:
            oldest.force_close()
        return server()

    return connect
