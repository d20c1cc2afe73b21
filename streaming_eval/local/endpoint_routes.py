"""The paths of the recorded endpoint and what is found there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from http import HTTPStatus

import orjson

from streaming_eval.errors import SettingsError
from streaming_eval.local.answers import RECORDED
from streaming_eval.local.anthropic_wire import ANTHROPIC_MESSAGES
from streaming_eval.local.completions_wire import OPENAI_COMPLETIONS
from streaming_eval.local.embeddings_wire import HASHED_WORDS, OPENAI_EMBEDDINGS
from streaming_eval.local.gemini_wire import GEMINI, model_in
from streaming_eval.local.http_connection import InFlight
from streaming_eval.local.http_message import Head, Reply
from streaming_eval.local.model_api import ModelApi, refusal, unauthorised
from streaming_eval.local.openai_wire import OPENAI_CHAT
from streaming_eval.local.questions import RECORDED_MODELS
from streaming_eval.local.scripted_judge import JUDGE_FINGERPRINT, SCRIPTED_JUDGE

_GEMINI_PATH = "/v1beta/models/*:generateContent"

Route = Callable[[Head, bytes], Reply]


class EndpointRoutes:
    """Routes requests: the model APIs below /v1 and /v1beta, their controls beside them.

    `POST /control` takes any of `Behaviour`'s fields as a JSON object and answers, as does
    `GET /control`, with all of them. `GET /stats` tells the calls so far by status (0 is a reset
    connection), how many replies take time: now, and at most so far, and how long each client
    waited that went away without its reply.

    Of several processes any may get a request. They count calls together; the rest of the stats
    is not told then, and the behaviour cannot be changed.

    Args:
        api: gives the replies.
        in_flight: of this process.
        pid: of the server; of the first one where there are several processes.
        alone: whether this process is the only one.
    """

    def __init__(self, api: ModelApi, in_flight: InFlight, pid: int, *, alone: bool = True) -> None:
        self._api = api
        self._in_flight = in_flight
        self._pid, self._alone = pid, alone
        self._routes: dict[tuple[str, str], Route] = {
            ("POST", "/v1/chat/completions"): partial(api.complete, OPENAI_CHAT),
            ("POST", "/v1/completions"): partial(api.complete, OPENAI_COMPLETIONS),
            ("POST", "/v1/embeddings"): partial(api.complete, OPENAI_EMBEDDINGS),
            ("POST", "/v1/messages"): partial(api.complete, ANTHROPIC_MESSAGES),
            ("POST", _GEMINI_PATH): partial(api.complete, GEMINI),
            ("GET", "/v1/models"): self._models,
            ("GET", "/healthz"): self._health,
            ("GET", "/stats"): self._stats,
            ("GET", "/control"): self._behaviour,
            ("POST", "/control"): self._change_behaviour,
        }

    def handle(self, head: Head, body: bytes) -> Reply:
        """The reply to one request."""
        place = _place(head.path)
        route = self._routes.get((head.method, place))
        if route is not None:
            return route(head, body)
        allowed = [method for method, path in self._routes if path == place]
        if not allowed:
            return _refused(HTTPStatus.NOT_FOUND, f"there is nothing at {head.path}")
        reply = _refused(HTTPStatus.METHOD_NOT_ALLOWED, f"{head.path} takes {', '.join(allowed)}")
        return Reply(reply.status, reply.body, headers={"Allow": ", ".join(allowed)})

    def _health(self, head: Head, body: bytes) -> Reply:
        return _ok({"status": "ok", "pid": self._pid})

    def _models(self, head: Head, body: bytes) -> Reply:
        if not self._api.authorised(OPENAI_CHAT, head):
            return unauthorised(OPENAI_CHAT)
        owners = {
            **dict.fromkeys(RECORDED_MODELS, RECORDED),
            SCRIPTED_JUDGE: JUDGE_FINGERPRINT,
            HASHED_WORDS: HASHED_WORDS,
        }
        models = [
            {"id": model, "object": "model", "created": 0, "owned_by": owner}
            for model, owner in owners.items()
        ]
        return _ok({"object": "list", "data": models})

    def _stats(self, head: Head, body: bytes) -> Reply:
        by_status = self._api.calls.by_status()
        calls = {
            "calls": sum(by_status.values()),
            "by_status": {str(s): n for s, n in by_status.items()},
        }
        if not self._alone:
            return _ok(calls)
        waiting = {
            "in_flight": self._in_flight.now,
            "max_in_flight": self._in_flight.most,
            "given_up_after_s": self._in_flight.given_up_after_s,
        }
        return _ok(calls | waiting)

    def _behaviour(self, head: Head, body: bytes) -> Reply:
        return _ok(asdict(self._api.behaviour))

    def _change_behaviour(self, head: Head, body: bytes) -> Reply:
        if not self._alone:
            return _refused(HTTPStatus.CONFLICT, "several processes serve; restart them instead")
        try:
            values = orjson.loads(body)
            if not isinstance(values, dict):
                raise SettingsError("the body must be a JSON object")
            self._api.set_behaviour(self._api.behaviour.changed(values))
        except (orjson.JSONDecodeError, SettingsError) as error:
            return _refused(HTTPStatus.BAD_REQUEST, str(error))
        return self._behaviour(head, body)


def _place(path: str) -> str:
    """The path under which a route is found: that of a model stands for those of all."""
    return _GEMINI_PATH if model_in(path) else path


def _refused(status: HTTPStatus, message: str) -> Reply:
    return refusal(OPENAI_CHAT, status, message)


def _ok(content: object) -> Reply:
    return Reply(HTTPStatus.OK, orjson.dumps(content))
