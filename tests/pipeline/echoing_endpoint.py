"""A model API that answers some and refuses others, repeating their API key to them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson

REFUSED = "refused"


class EchoingEndpoint(ThreadingHTTPServer):
    """Refuses the model `REFUSED`, in all the places where a reply can say why.

    Attributes:
        keys: every API key that came.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.keys: set[str] = set()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: EchoingEndpoint
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        key = self.headers["Authorization"].removeprefix("Bearer ")
        self.server.keys.add(key)
        if orjson.loads(body)["model"] != REFUSED:
            self._reply(200, "OK", {"choices": [{"message": {"content": "Paris"}}]})
            return
        said = {"message": f"Incorrect API key provided: {key}", "code": key}
        self._reply(401, f"No {key}", {"error": said, key: key}, **{"WWW-Authenticate": key})

    def _reply(self, status: int, words: str, document: object, **headers: str) -> None:
        content = orjson.dumps(document)
        self.send_response(status, words)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by http.server
        """Says nothing."""


@contextmanager
def echoing() -> Iterator[EchoingEndpoint]:
    """A running one."""
    with EchoingEndpoint() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
