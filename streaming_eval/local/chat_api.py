"""Answers chat completions from the book, within the limits and with the faults that are set."""

from __future__ import annotations

import hmac
import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

import orjson

from streaming_eval.local.answers import AnswerBook, NotAnswerable
from streaming_eval.local.behaviour import Behaviour, Fault
from streaming_eval.local.call_log import CallLog, body_sha256
from streaming_eval.local.chat_request import completion, error_body, parse_chat
from streaming_eval.local.fates import Fates
from streaming_eval.local.faulty_reply import spoil
from streaming_eval.local.http_message import Head, Reply
from streaming_eval.local.rate_limit import RateLimit

_CONNECTION_RESET = 0


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of one call; `model` is empty when the body was no chat request."""

    reply: Reply
    model: str = ""
    fault: Fault | None = None

    @property
    def status(self) -> int:
        return _CONNECTION_RESET if self.reply.reset else int(self.reply.status)


class ChatApi:
    """POST /v1/chat/completions.

    Args:
        log: where each call is written down; None keeps no log.
        api_key: what clients must send as bearer token; None lets everybody in.
        steady_s: the clock of the rate limit.
    """

    def __init__(
        self,
        book: AnswerBook,
        behaviour: Behaviour,
        *,
        log: CallLog | None = None,
        api_key: str | None = None,
        steady_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._book = book
        self._log = log
        self._api_key = api_key
        self._steady_s = steady_s
        self.by_status: Counter[int] = Counter()
        self.set_behaviour(behaviour)

    def set_behaviour(self, behaviour: Behaviour) -> None:
        """Changes what happens from the next call on; the rate limit starts with a full bucket."""
        self.behaviour = behaviour
        self._fates = Fates(behaviour)
        per_minute = behaviour.requests_per_minute
        self._limit = (
            RateLimit(per_minute, behaviour.burst, self._steady_s()) if per_minute else None
        )

    def authorised(self, head: Head) -> bool:
        """Whether the request carries the key, if one is needed."""
        if self._api_key is None:
            return True
        given = head.headers.get("authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {self._api_key}".encode())

    def complete(self, head: Head, body: bytes) -> Reply:
        """The reply to one call, which is counted and logged whatever becomes of it."""
        parsed = _json(body)
        digest = body_sha256(body, parsed)
        outcome = self._outcome(head, parsed, digest)
        self.by_status[outcome.status] += 1
        if self._log is not None:
            self._log.write(outcome.model, digest, outcome.status, outcome.fault)
        return outcome.reply

    def _outcome(self, head: Head, parsed: object, digest: str) -> _Outcome:
        if not self.authorised(head):
            return _Outcome(unauthorised())
        try:
            chat = parse_chat(parsed)
        except ValueError as error:
            return _Outcome(refusal(HTTPStatus.BAD_REQUEST, str(error)))
        wait_s = self._limit.take(self._steady_s()) if self._limit else 0.0
        if wait_s:
            return _Outcome(self._too_many(wait_s), chat.model)
        try:
            answer = self._book.answer(chat.model, chat.messages)
        except NotAnswerable as error:
            return _Outcome(refusal(error.status, error.message, error.code), chat.model)
        fate = self._fates.next(digest)
        content = completion(chat, answer, digest[:24], int(time.time()))
        reply = Reply(
            HTTPStatus.OK, content, headers=self._limit_headers(), delay_s=fate.latency_ms / 1000
        )
        return _Outcome(spoil(reply, fate.fault) if fate.fault else reply, chat.model, fate.fault)

    def _too_many(self, wait_s: float) -> Reply:
        headers = {
            **self._limit_headers(),
            "Retry-After": str(max(1, math.ceil(wait_s))),  # whole seconds by RFC 9110
            "Retry-After-Ms": str(math.ceil(wait_s * 1000)),
        }
        body = error_body("Rate limit reached for requests.", "requests", "rate_limit_exceeded")
        return Reply(HTTPStatus.TOO_MANY_REQUESTS, body, headers=headers)

    def _limit_headers(self) -> dict[str, str]:
        if self._limit is None:
            return {}
        return {
            "X-RateLimit-Limit-Requests": f"{self._limit.per_minute:g}",
            "X-RateLimit-Remaining-Requests": str(self._limit.remaining),
            "X-RateLimit-Reset-Requests": f"{self._limit.full_in_s:.3f}s",
        }


def refusal(status: HTTPStatus, message: str, code: str | None = None) -> Reply:
    """A reply that blames the request."""
    return Reply(status, error_body(message, "invalid_request_error", code))


def unauthorised() -> Reply:
    """The reply to a missing or wrong key, which it does not repeat."""
    message = "Incorrect API key provided."
    return refusal(HTTPStatus.UNAUTHORIZED, message, "invalid_api_key")


def _json(body: bytes) -> object:
    """The parsed body; None when it is not JSON."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
