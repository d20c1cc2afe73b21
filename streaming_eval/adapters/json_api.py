"""What all model APIs have in common: one base URL, one key, JSON out, JSON in.

Reasons of its own, beside those of `http_exchange`: `invalid_request` (the request cannot be said
in this API's words), `wrong_endpoint`, and `error_in_200` (status 200, yet the body is an error;
`content_filter` where that is what it says).

A model that refuses has answered: the refusal is the text, `finish_reason` is `refusal`. Where a
filter stopped the prompt or the answer there is no answer: the call fails for good, as
`content_filter`, whichever API says so and however.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, ClassVar
from urllib.parse import urlencode

import aiohttp
import orjson

from streaming_eval.adapters.http_exchange import (
    MAX_REPLY_BYTES,
    HttpExchange,
    retryable_status,
)
from streaming_eval.adapters.http_reply import content_filtered, explanation
from streaming_eval.errors import InferenceError, PermanentError, RetryableError, SettingsError
from streaming_eval.records import Request, Response

_BEARER = "authorization"


@dataclass(frozen=True, slots=True)
class Extras:
    """How an endpoint differs from the API's own; nothing in it may be secret.

    Attributes:
        headers: sent with every request, in place of the API's own where the names are equal.
        query: appended to every address, e.g. Azure's `api-version`.
        key_header: carries the API key instead of the API's own header, e.g. Azure's `api-key`;
            `Authorization` carries it as bearer token.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    key_header: str | None = None


class JsonApi(ABC):
    """One endpoint of a model API; `send` is one attempt.

    An API is a subclass with these constants and three methods without side effects.

    Attributes:
        name: in configuration, cache keys and the registry.
        answers: field of a reply that holds its answers; an `error` beside it is no error.
        key_header: carries the API key.
        headers: sent with every request.
        passing_errors: `type` of errors that may pass, for errors that come with status 200.
        max_inputs: messages that one request may hold as independent inputs.

    Args:
        session: from `open_session`.
        base_url: what the API's paths are appended to; requests to any other endpoint are refused.
        api_key: None sends none.
        timeout_s: of one attempt, from connecting to the last byte.
        extras: what this endpoint wants beside what the API demands.
        max_reply_bytes: a longer reply is an error.
        now: epoch seconds.
    """

    name: ClassVar[str]
    answers: ClassVar[str]
    key_header: ClassVar[str] = _BEARER
    headers: ClassVar[Mapping[str, str]] = MappingProxyType({})
    passing_errors: ClassVar[frozenset[str]] = frozenset()
    max_inputs: ClassVar[int] = 1

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        base_url: str,
        api_key: str | None,
        timeout_s: float,
        extras: Extras | None = None,
        max_reply_bytes: int = MAX_REPLY_BYTES,
        now: Callable[[], float] = time.time,
    ) -> None:
        extras = extras or Extras()
        self._base_url, self._query, self._now = base_url, dict(extras.query), now
        headers = self.request_headers(api_key, extras)

        def exchange(path: str) -> HttpExchange:
            return HttpExchange(
                session,
                self._address(path),
                headers=headers,
                secret=api_key,
                timeout_s=timeout_s,
                max_reply_bytes=max_reply_bytes,
            )

        self._connect = exchange
        self._exchanges = {"": exchange("")}  # so that a bad key is refused here, not at a call

    @classmethod
    def request_headers(cls, api_key: str | None, extras: Extras) -> dict[str, str]:
        """What every request to such an endpoint is sent with, the key included."""
        headers = _headers({**cls.headers, **extras.headers})
        if api_key:
            header = (extras.key_header or cls.key_header).lower()
            headers[header] = f"Bearer {api_key}" if header == _BEARER else api_key
        return headers

    async def send(self, request: Request) -> Response:
        """The model's answer.

        Raises:
            RetryableError: the call may succeed later.
            PermanentError: it will not succeed as it stands.
        """
        if request.endpoint != self._base_url:
            raise PermanentError("wrong_endpoint", "the request is meant for another endpoint")
        exchange = self._exchange(self.path(request))
        reply = await exchange.post(_encoded(self.document(request)))
        error = reply.document.get("error")
        if error and not reply.document.get(self.answers):
            raise self._reported(error, exchange)
        return replace(
            self.read(request, reply.document),
            latency_ms=reply.latency_ms,
            created_ms=int(self._now() * 1000),
            attempts=1,
        )

    @staticmethod
    def outputs(request: Request) -> int:
        """How many texts the model writes for the request."""
        return 1

    @abstractmethod
    def path(self, request: Request) -> str:
        """Where the request goes, from the base URL on; begins with a slash."""

    @abstractmethod
    def document(self, request: Request) -> Mapping[str, object]:
        """The body to send.

        Raises:
            PermanentError: `invalid_request`; this API has no words for the request.
        """

    @abstractmethod
    def read(self, request: Request, document: Mapping[str, Any]) -> Response:
        """Text, finish reason and usage of the reply.

        Raises:
            PermanentError: it holds no answer.
        """

    def _exchange(self, path: str) -> HttpExchange:
        """The exchange with one path; there are as many as models, and those are configured."""
        found = self._exchanges.get(path)
        if found is None:
            found = self._exchanges[path] = self._connect(path)
        return found

    def _address(self, path: str) -> str:
        query = f"?{urlencode(self._query)}" if self._query else ""
        return f"{self._base_url.rstrip('/')}{path}{query}"

    def _reported(self, error: object, exchange: HttpExchange) -> InferenceError:
        """The error that came with status 200; gateways put the true status into its `code`."""
        message = exchange.presentable(explanation(error))
        told = error if isinstance(error, dict) else {}
        code = told.get("code")
        passes = isinstance(code, int) and retryable_status(code)
        if passes or told.get("type") in self.passing_errors:
            return RetryableError("error_in_200", message)
        if content_filtered({"error": error}):
            return PermanentError("content_filter", message)
        return PermanentError("error_in_200", message)


def _headers(given: Mapping[str, str]) -> dict[str, str]:
    for name, value in given.items():
        if not (name.isascii() and value.isascii() and f"{name}{value}".isprintable()):
            raise SettingsError(f"the header {name!r} holds characters that no header can carry")
    return {name.lower(): value for name, value in given.items()}


def _encoded(document: Mapping[str, object]) -> bytes:
    try:
        return orjson.dumps(document)
    except TypeError as error:
        raise PermanentError("invalid_request", f"the request has no JSON form: {error}") from None
