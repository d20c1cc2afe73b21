"""Deliberate faults: what a good reply becomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from http import HTTPStatus

import orjson

from streaming_eval.local.behaviour import Fault
from streaming_eval.local.http_message import Reply
from streaming_eval.local.wire_format import WireFormat

_HTML = b"<!DOCTYPE html><html><body><h1>Welcome to the proxy</h1></body></html>"


def spoil(reply: Reply, fault: Fault, wire: WireFormat) -> Reply:
    """The reply with the fault in it; its delay stays."""
    return _SPOILERS[fault](reply, wire)


def _server_error(reply: Reply, wire: WireFormat) -> Reply:
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    message = "The server had an error while processing your request."
    return replace(reply, status=status, body=wire.error(status, message, None))


def _unavailable(reply: Reply, wire: WireFormat) -> Reply:
    body = wire.error(wire.overloaded, "The engine is currently overloaded.", "overloaded")
    return replace(reply, status=wire.overloaded, body=body)


def _reset(reply: Reply, wire: WireFormat) -> Reply:
    return replace(reply, reset=True)


def _truncated(reply: Reply, wire: WireFormat) -> Reply:
    return replace(reply, body=reply.body[: len(reply.body) // 2])


def _wrong_content_type(reply: Reply, wire: WireFormat) -> Reply:
    return replace(reply, content_type="text/plain; charset=utf-8")


def _no_answers(reply: Reply, wire: WireFormat) -> Reply:
    return replace(reply, body=orjson.dumps({**orjson.loads(reply.body), wire.answers: []}))


def _html(reply: Reply, wire: WireFormat) -> Reply:
    return replace(reply, body=_HTML, content_type="text/html; charset=utf-8")


_SPOILERS: Mapping[Fault, Callable[[Reply, WireFormat], Reply]] = {
    Fault.SERVER_ERROR: _server_error,
    Fault.UNAVAILABLE: _unavailable,
    Fault.CONNECTION_RESET: _reset,
    Fault.TRUNCATED_JSON: _truncated,
    Fault.WRONG_CONTENT_TYPE: _wrong_content_type,
    Fault.EMPTY_CHOICES: _no_answers,
    Fault.HTML_PAGE: _html,
}
