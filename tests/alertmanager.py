"""A real Alertmanager as a child process, and somebody who takes its messages."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener

import yaml

from streaming_eval.local.ports import LOOPBACK, free_ports
from streaming_eval.local.process import ServerProcess

_OPENER = build_opener(ProxyHandler({}))
Labels = Mapping[str, str]


def alertmanager_program() -> str:
    """Debian gives the program another name than its makers do."""
    found = shutil.which("alertmanager") or shutil.which("prometheus-alertmanager")
    assert found, "Alertmanager is needed: install the package prometheus-alertmanager"
    return found


class Inbox:
    """Takes what Alertmanager posts to its receivers, each at a path of its name."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, dict[str, Any]]] = []
        messages = self.messages

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                messages.append((self.path.strip("/"), json.loads(body)))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self.url = f"http://{LOOPBACK}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def told(self, receiver: str) -> list[list[Labels]]:
        """The labels of the alerts in each message to a receiver."""
        return [
            [alert["labels"] for alert in message["alerts"]]
            for to, message in list(self.messages)
            if to == receiver
        ]


class Alertmanager:
    """Its HTTP API."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ready(self) -> bool:
        try:
            self._ask("/-/ready")
        except (URLError, OSError):
            return False
        return True

    def post(self, alerts: Iterable[tuple[Labels, Mapping[str, str]]]) -> None:
        """Fires alerts, each labels and annotations."""
        body = [{"labels": dict(labels), "annotations": dict(said)} for labels, said in alerts]
        self._ask("/api/v2/alerts", json.dumps(body).encode())

    def alerts(self) -> list[Any]:
        """All alerts, with receivers and whether they are muted."""
        return list(json.loads(self._ask("/api/v2/alerts")))

    def _ask(self, path: str, body: bytes | None = None) -> bytes:
        request = Request(self.url + path, body, {"Content-Type": "application/json"})
        with _OPENER.open(request, timeout=10) as reply:
            answer: bytes = reply.read()
        return answer


@contextmanager
def alertmanager(directory: Path, shipped: Path, inbox: Inbox) -> Iterator[Alertmanager]:
    """A server under the configuration at `shipped`, hurried, whose receivers tell the inbox."""
    configuration = yaml.safe_load(shipped.read_text())
    _hurry(configuration["route"])
    for receiver in configuration["receivers"]:
        receiver["webhook_configs"] = [{"url": f"{inbox.url}/{receiver['name']}"}]
    file = directory / "alertmanager.yml"
    file.write_text(yaml.safe_dump(configuration))
    [port] = free_ports(1)
    options = [
        f"--config.file={file}",
        f"--storage.path={directory / 'data'}",
        f"--web.listen-address={LOOPBACK}:{port}",
        "--cluster.listen-address=",
    ]
    program = [alertmanager_program(), *options]
    process = ServerProcess("Alertmanager", program, directory / "alertmanager.log")
    api = Alertmanager(f"http://{LOOPBACK}:{port}")
    try:
        process.wait_until(api.ready, 30)
        yield api
    finally:
        process.stop(10)


def _hurry(route: dict[str, Any]) -> None:
    """Messages within a second, in this route and those below."""
    route |= {name: "1s" for name in ("group_wait", "group_interval")}
    for child in route.get("routes", ()):
        _hurry(child)
