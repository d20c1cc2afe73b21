"""A chat API on loopback in a thread of its own, for code that runs its own event loop."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[str, str], str | None]


class ModelsApi:
    """Answers every request by `answer(model, question)`; None is a refusal (400).

    Whoever asks a question that is held waits until `release`.
    """

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str]] = []
        self._held: dict[str, threading.Event] = {}
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, reply = api.reply(body)
                content = json.dumps(reply).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def hold(self, question: str) -> None:
        """Leaves this question unanswered for now."""
        self._held[question] = threading.Event()

    def release(self, question: str) -> None:
        """Answers whoever waits for it, and whoever asks from now on."""
        self._held[question].set()

    def reply(self, body: Mapping[str, Any]) -> tuple[int, Mapping[str, object]]:
        question = body["messages"][-1]["content"]
        self.asked.append((body["model"], question))
        if question in self._held:
            self._held[question].wait()
        text = self.answer(body["model"], question)
        if text is None:
            return 400, {"error": {"message": "no"}}
        message = {"role": "assistant", "content": text}
        return 200, {
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 3},
        }

    @contextmanager
    def serving(self) -> Iterator[ModelsApi]:
        self._thread.start()
        try:
            yield self
        finally:
            for held in self._held.values():
                held.set()
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
