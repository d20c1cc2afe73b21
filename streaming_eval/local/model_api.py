"""Answers model calls from the book, within the limits and with the faults that are set."""

from __future__ import annotations

import hmac
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

import orjson

from streaming_eval.local.answers import AnswerBook, NotAnswerable
from streaming_eval.local.behaviour import Behaviour, Fault
from streaming_eval.local.call_log import CallLog, body_sha256
from streaming_eval.local.fates import Fates
from streaming_eval.local.faulty_reply import spoil
from streaming_eval.local.http_message import Head, Reply
from streaming_eval.local.rate_limit import RateLimit
from streaming_eval.local.shared_counts import SharedCounts
from streaming_eval.local.wire_format import WireFormat

_CONNECTION_RESET = 0


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of one call; `model` is empty when the body was no request."""

    reply: Reply
    model: str = ""
    fault: Fault | None = None

    @property
    def status(self) -> int:
        return _CONNECTION_RESET if self.reply.reset else int(self.reply.status)


class ModelApi:
    """The calls of all wire formats, under one limit and one behaviour.

    Args:
        log: where each call is written down; None keeps no log.
        api_key: what clients must send; None lets everybody in.
        steady_s: the clock of the rate limit.
        calls: by status, kept with other processes where there are any.
    """

    def __init__(
        self,
        book: AnswerBook,
        behaviour: Behaviour,
        *,
        log: CallLog | None = None,
        api_key: str | None = None,
        steady_s: Callable[[], float] = time.monotonic,
        calls: SharedCounts | None = None,
    ) -> None:
        self._book = book
        self._log = log
        self._api_key = api_key
        self._steady_s = steady_s
        self.calls = calls or SharedCounts()
        self.set_behaviour(behaviour)

    def set_behaviour(self, behaviour: Behaviour) -> None:
        """Changes what happens from the next call on; the rate limit starts with a full bucket."""
        self.behaviour = behaviour
        self._fates = Fates(behaviour)
        per_minute = behaviour.requests_per_minute
        self._limit = (
            RateLimit(per_minute, behaviour.burst, self._steady_s()) if per_minute else None
        )

    def authorised(self, wire: WireFormat, head: Head) -> bool:
        """Whether the request carries the key, if one is needed."""
        if self._api_key is None:
            return True
        return hmac.compare_digest(wire.key(head).encode(), self._api_key.encode())

    def complete(self, wire: WireFormat, head: Head, body: bytes) -> Reply:
        """The reply to one call, which is counted and logged whatever becomes of it."""
        parsed = _json(body)
        digest = body_sha256(body, parsed)
        outcome = self._outcome(wire, head, parsed, digest)
        self.calls.count(outcome.status)
        if self._log is not None:
            self._log.write(outcome.model, digest, outcome.status, outcome.fault)
        return outcome.reply

    def _outcome(self, wire: WireFormat, head: Head, parsed: object, digest: str) -> _Outcome:
        if not self.authorised(wire, head):
            return _Outcome(unauthorised(wire))
        try:
            chat = wire.parse(head, parsed)
        except ValueError as error:
            return _Outcome(refusal(wire, HTTPStatus.BAD_REQUEST, str(error)))
        wait_s = self._limit.take(self._steady_s()) if self._limit else 0.0
        if wait_s:
            return _Outcome(self._too_many(wire, wait_s), chat.model)
        try:
            content = wire.answer(chat, self._book, digest[:24])
        except NotAnswerable as error:
            return _Outcome(refusal(wire, error.status, error.message, error.code), chat.model)
        fate = self._fates.next(digest)
        reply = Reply(
            HTTPStatus.OK, content, headers=self._limits(wire), delay_s=fate.latency_ms / 1000
        )
        if fate.fault is not None:
            reply = spoil(reply, fate.fault, wire, self.behaviour.redirect_port)
        return _Outcome(reply, chat.model, fate.fault)

    def _too_many(self, wire: WireFormat, wait_s: float) -> Reply:
        headers = {
            **self._limits(wire),
            "Retry-After": str(max(1, math.ceil(wait_s))),  # whole seconds by RFC 9110
            "Retry-After-Ms": str(math.ceil(wait_s * 1000)),
        }
        status, message = HTTPStatus.TOO_MANY_REQUESTS, "Rate limit reached for requests."
        body = wire.error(status, message, "rate_limit_exceeded")
        return Reply(status, body, headers=headers)

    def _limits(self, wire: WireFormat) -> Mapping[str, str]:
        return wire.limits(self._limit) if self._limit else {}


def refusal(wire: WireFormat, status: HTTPStatus, message: str, code: str | None = None) -> Reply:
    """A reply that blames the request."""
    return Reply(status, wire.error(status, message, code))


def unauthorised(wire: WireFormat) -> Reply:
    """The reply to a missing or wrong key, which it does not repeat."""
    message = "Incorrect API key provided."
    return refusal(wire, HTTPStatus.UNAUTHORIZED, message, "invalid_api_key")


def _json(body: bytes) -> object:
    """The parsed body; None when it is not JSON."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
