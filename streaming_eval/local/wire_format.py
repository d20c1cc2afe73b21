"""What distinguishes one model API from another, as seen by a server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from streaming_eval.local.answers import AnswerBook
from streaming_eval.local.chat_request import ChatRequest
from streaming_eval.local.http_message import Head
from streaming_eval.local.rate_limit import RateLimit


@dataclass(frozen=True, slots=True)
class WireFormat:
    """How one API writes requests, answers and errors.

    Attributes:
        answers: field of a reply that holds its answers.
        key: the API key that came with a request; empty when none did.
        parse: the request in head and parsed JSON body; raises ValueError when there is none.
        answer: body of the reply, given a call id; raises `NotAnswerable`.
        error: body of a failed reply, given its status, a message and a code or None.
        limits: headers that tell how much of the rate limit is left.
        overloaded: status that says so.
    """

    answers: str
    key: Callable[[Head], str]
    parse: Callable[[Head, object], ChatRequest]
    answer: Callable[[ChatRequest, AnswerBook, str], bytes]
    error: Callable[[int, str, str | None], bytes]
    limits: Callable[[RateLimit], Mapping[str, str]]
    overloaded: int = HTTPStatus.SERVICE_UNAVAILABLE


def bearer_or(name: str) -> Callable[[Head], str]:
    """Reads a bearer token, else the header of that name; empty when neither came."""

    def key(head: Head) -> str:
        scheme, _, token = head.headers.get("authorization", "").partition(" ")
        return token if scheme == "Bearer" else head.headers.get(name, "")

    return key
