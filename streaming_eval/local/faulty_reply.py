"""Deliberate faults: what a good reply becomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from http import HTTPStatus

import orjson

from streaming_eval.local.behaviour import Fault
from streaming_eval.local.hostile_reply import HOSTILE
from streaming_eval.local.http_message import Reply
from streaming_eval.local.wire_format import WireFormat

RETRY_AFTER_S = 1
_LATE_S = 120.0
_HTML = b"<!DOCTYPE html><html><body><h1>Welcome to the proxy</h1></body></html>"


def spoil(reply: Reply, fault: Fault, wire: WireFormat, redirect_port: int = 0) -> Reply:
    """The reply with the fault in it; its delay stays, unless lateness is the fault."""
    if fault is Fault.REDIRECT:
        target = f"http://127.0.0.1:{redirect_port}/v1/chat/completions"
        return replace(reply, status=HTTPStatus.TEMPORARY_REDIRECT, headers={"Location": target})
    if fault in HOSTILE:
        return replace(reply, pieces=HOSTILE[fault])
    return _SPOILERS[fault](reply, wire)


def _server_error(reply: Reply, wire: WireFormat) -> Reply:
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    message = "The server had an error while processing your request."
    return replace(reply, status=status, body=wire.error(status, message, None))


def _unavailable(reply: Reply, wire: WireFormat) -> Reply:
    body = wire.error(wire.overloaded, "The engine is currently overloaded.", "overloaded")
    return replace(reply, status=wire.overloaded, body=body)


def _rate_limited(reply: Reply, wire: WireFormat) -> Reply:
    told = _rate_limited_silently(reply, wire)
    return replace(told, headers={**reply.headers, "Retry-After": str(RETRY_AFTER_S)})


def _rate_limited_silently(reply: Reply, wire: WireFormat) -> Reply:
    status = HTTPStatus.TOO_MANY_REQUESTS
    body = wire.error(status, "Rate limit reached for requests.", "rate_limit_exceeded")
    return replace(reply, status=status, body=body)


def _late(reply: Reply, wire: WireFormat) -> Reply:
    return replace(reply, delay_s=_LATE_S)


def _error_object(reply: Reply, wire: WireFormat) -> Reply:
    body = wire.error(HTTPStatus.INTERNAL_SERVER_ERROR, "The model has crashed.", None)
    return replace(reply, body=body)


def _garbage(reply: Reply, wire: WireFormat) -> Reply:
    return replace(reply, body=bytes(range(256)))


def _huge_header(reply: Reply, wire: WireFormat) -> Reply:
    return replace(reply, headers={"X-Padding": "x" * 1_000_000})


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
    Fault.RATE_LIMITED: _rate_limited,
    Fault.RATE_LIMITED_SILENTLY: _rate_limited_silently,
    Fault.LATE: _late,
    Fault.TRUNCATED_JSON: _truncated,
    Fault.WRONG_CONTENT_TYPE: _wrong_content_type,
    Fault.EMPTY_CHOICES: _no_answers,
    Fault.HTML_PAGE: _html,
    Fault.ERROR_OBJECT: _error_object,
    Fault.GARBAGE: _garbage,
    Fault.HUGE_HEADER: _huge_header,
}
