"""Deliberate faults: what a good reply becomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from http import HTTPStatus

import orjson

from streaming_eval.local.behaviour import Fault
from streaming_eval.local.chat_request import error_body
from streaming_eval.local.http_message import Reply

_HTML = b"<!DOCTYPE html><html><body><h1>Welcome to the proxy</h1></body></html>"


def spoil(reply: Reply, fault: Fault) -> Reply:
    """The reply with the fault in it; its delay stays."""
    return _SPOILERS[fault](reply)


def _server_error(reply: Reply) -> Reply:
    body = error_body("The server had an error while processing your request.", "server_error")
    return replace(reply, status=HTTPStatus.INTERNAL_SERVER_ERROR, body=body)


def _unavailable(reply: Reply) -> Reply:
    body = error_body("The engine is currently overloaded.", "server_error", "overloaded")
    return replace(reply, status=HTTPStatus.SERVICE_UNAVAILABLE, body=body)


def _reset(reply: Reply) -> Reply:
    return replace(reply, reset=True)


def _truncated(reply: Reply) -> Reply:
    return replace(reply, body=reply.body[: len(reply.body) // 2])


def _wrong_content_type(reply: Reply) -> Reply:
    return replace(reply, content_type="text/plain; charset=utf-8")


def _empty_choices(reply: Reply) -> Reply:
    return replace(reply, body=orjson.dumps({**orjson.loads(reply.body), "choices": []}))


def _html(reply: Reply) -> Reply:
    return replace(reply, body=_HTML, content_type="text/html; charset=utf-8")


_SPOILERS: Mapping[Fault, Callable[[Reply], Reply]] = {
    Fault.SERVER_ERROR: _server_error,
    Fault.UNAVAILABLE: _unavailable,
    Fault.CONNECTION_RESET: _reset,
    Fault.TRUNCATED_JSON: _truncated,
    Fault.WRONG_CONTENT_TYPE: _wrong_content_type,
    Fault.EMPTY_CHOICES: _empty_choices,
    Fault.HTML_PAGE: _html,
}
