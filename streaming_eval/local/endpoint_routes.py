"""The paths of the recorded endpoint and what is found there."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict
from http import HTTPStatus

import orjson

from streaming_eval.errors import SettingsError
from streaming_eval.local.answers import RECORDED
from streaming_eval.local.chat_api import ChatApi, refusal, unauthorised
from streaming_eval.local.http_connection import InFlight
from streaming_eval.local.http_message import Head, Reply
from streaming_eval.local.questions import RECORDED_MODELS
from streaming_eval.local.scripted_judge import JUDGE_FINGERPRINT, SCRIPTED_JUDGE


class EndpointRoutes:
    """Routes requests: the model API below /v1, its controls beside it.

    `POST /control` takes any of `Behaviour`'s fields as a JSON object and answers, as does
    `GET /control`, with all of them. `GET /stats` tells the calls so far by status (0 is a reset
    connection) and how many wait out their latency: now, and at most so far.
    """

    def __init__(self, chat: ChatApi, in_flight: InFlight) -> None:
        self._chat = chat
        self._in_flight = in_flight
        self._routes: dict[tuple[str, str], Callable[[Head, bytes], Reply]] = {
            ("POST", "/v1/chat/completions"): chat.complete,
            ("GET", "/v1/models"): self._models,
            ("GET", "/healthz"): self._health,
            ("GET", "/stats"): self._stats,
            ("GET", "/control"): self._behaviour,
            ("POST", "/control"): self._change_behaviour,
        }

    def handle(self, head: Head, body: bytes) -> Reply:
        """The reply to one request."""
        route = self._routes.get((head.method, head.path))
        if route is not None:
            return route(head, body)
        allowed = [method for method, path in self._routes if path == head.path]
        if not allowed:
            return refusal(HTTPStatus.NOT_FOUND, f"there is nothing at {head.path}")
        reply = refusal(HTTPStatus.METHOD_NOT_ALLOWED, f"{head.path} takes {', '.join(allowed)}")
        return Reply(reply.status, reply.body, headers={"Allow": ", ".join(allowed)})

    def _health(self, head: Head, body: bytes) -> Reply:
        return _ok({"status": "ok", "pid": os.getpid()})

    def _models(self, head: Head, body: bytes) -> Reply:
        if not self._chat.authorised(head):
            return unauthorised()
        owners = {**dict.fromkeys(RECORDED_MODELS, RECORDED), SCRIPTED_JUDGE: JUDGE_FINGERPRINT}
        models = [
            {"id": model, "object": "model", "created": 0, "owned_by": owner}
            for model, owner in owners.items()
        ]
        return _ok({"object": "list", "data": models})

    def _stats(self, head: Head, body: bytes) -> Reply:
        return _ok(
            {
                "calls": self._chat.by_status.total(),
                "by_status": {str(s): n for s, n in sorted(self._chat.by_status.items())},
                "in_flight": self._in_flight.now,
                "max_in_flight": self._in_flight.most,
            }
        )

    def _behaviour(self, head: Head, body: bytes) -> Reply:
        return _ok(asdict(self._chat.behaviour))

    def _change_behaviour(self, head: Head, body: bytes) -> Reply:
        try:
            values = orjson.loads(body)
            if not isinstance(values, dict):
                raise SettingsError("the body must be a JSON object")
            self._chat.set_behaviour(self._chat.behaviour.changed(values))
        except (orjson.JSONDecodeError, SettingsError) as error:
            return refusal(HTTPStatus.BAD_REQUEST, str(error))
        return self._behaviour(head, body)


def _ok(content: object) -> Reply:
    return Reply(HTTPStatus.OK, orjson.dumps(content))
