"""A small HTTP server for a few pages that no client, however slow, can keep from the others.

One thread per connection, one request per connection. A connection lives at most
`CONNECTION_SECONDS`; when `MAX_CONNECTIONS` are open, the oldest makes room for the newest. A
scrape takes milliseconds, so the oldest of many is never a scrape that goes well.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import BaseServer, TCPServer, ThreadingMixIn
from typing import Any

CONNECTION_SECONDS = 10.0
MAX_CONNECTIONS = 256
_POLL_SECONDS = 0.1
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Query:
    """What a client asks for; header names are in lower case."""

    path: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """An answer. The body comes in parts so that a large one is shared, not copied."""

    body: tuple[bytes, ...]
    content_type: str = "text/plain; charset=utf-8"
    status: HTTPStatus = HTTPStatus.OK
    headers: tuple[tuple[str, str], ...] = ()


class PageServer(ThreadingMixIn, TCPServer):
    """Serves what `respond` returns until `stop`.

    Raises:
        OSError: the address cannot be bound.
    """

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, host: str, port: int, respond: Callable[[Query], Page]) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.respond = respond
        self._opened_at: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        super().__init__((host, port), _Handler)
        self._thread = threading.Thread(
            target=self.serve_forever, args=(_POLL_SECONDS,), name="exporter", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Close the port and every connection."""
        self.shutdown()
        self._thread.join()
        self.server_close()
        self._drop(tuple(self._opened_at))

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        with self._lock:
            surplus = len(self._opened_at) + 1 - MAX_CONNECTIONS
            oldest = tuple(self._opened_at)[: max(0, surplus)]
            self._opened_at[request] = time.monotonic()
        self._drop(oldest)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401
        with self._lock:
            self._opened_at.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Called every `_POLL_SECONDS`: end the connections whose time is over."""
        born_before = time.monotonic() - CONNECTION_SECONDS
        with self._lock:
            expired = tuple(s for s, opened in self._opened_at.items() if opened < born_before)
        self._drop(expired)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """A client that went away is no error; anything else is ours and is logged in full."""
        _log.exception("the exporter failed to answer %s", client_address)

    def _drop(self, connections: tuple[socket.socket, ...]) -> None:
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            with self._lock:
                self._opened_at.pop(connection, None)


class _Handler(BaseHTTPRequestHandler):
    server_version = "streaming-eval"
    sys_version = ""
    timeout = CONNECTION_SECONDS

    def __init__(self, request: Any, client_address: Any, server: BaseServer) -> None:  # noqa: ANN401
        with suppress(OSError):  # the client has gone, or has been dropped
            super().__init__(request, client_address, server)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        assert isinstance(self.server, PageServer)
        headers = {name.lower(): value for name, value in self.headers.items()}
        page = self.server.respond(Query(self.path.partition("?")[0], headers))
        self.send_response(page.status)
        self.send_header("Content-Type", page.content_type)
        self.send_header("Content-Length", str(sum(map(len, page.body))))
        self.send_header("X-Content-Type-Options", "nosniff")
        for name, value in page.headers:
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            for part in page.body:
                self.wfile.write(part)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401
        _log.debug(format, *args)
