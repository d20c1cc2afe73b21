"""One HTTP exchange with a model API: JSON out, JSON in, everything else is an error with a reason.

Server and network are trusted with nothing: redirects are not followed, replies are neither
inflated nor read beyond a limit, the time limit covers the last byte, and the API key is kept out
of every message, even where the server repeats it.

Reasons that may be retried: `timeout`, `connection`, `dns`, `bad_http`, `http_408`, `http_409`,
`http_425`, `http_429`, `http_5xx`. Final are all other `http_<status>`, `redirect`, `tls`,
`too_large`, `wrong_content_encoding`, `wrong_content_type` and `bad_json`: a 200 that cannot be
used is not asked for again, because the model did answer and may have been paid for it. A 400 whose
error names a content filter is `content_filter`: nothing was wrong with the request's form.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from io import BytesIO
from typing import Any

import aiohttp
import orjson
from yarl import URL

from streaming_eval.adapters.http_reply import (
    content_filtered,
    explanation,
    parse_object,
    read_at_most,
)
from streaming_eval.adapters.retry_after import retry_after_s
from streaming_eval.errors import InferenceError, PermanentError, RetryableError, SettingsError

MAX_REPLY_BYTES = 8 * 2**20

_RETRYABLE_4XX = frozenset((408, 409, 425, 429))
_MAX_ERROR_BYTES = 64 * 2**10
_MAX_MESSAGE_CHARS = 300
_WARNED_OF_BYTES = 2**20
_READ_BUFFER_BYTES = 2**20
_DNS_CACHE_S = 30


Heard = Callable[[Mapping[str, str]], None]


def open_session(max_in_flight: int, heard: Heard | None = None) -> aiohttp.ClientSession:
    """A session for that many calls at once; open and close it inside the running loop.

    Args:
        max_in_flight: connections at most.
        heard: told the headers of every reply, good or bad, as soon as they are there.
    """
    return aiohttp.ClientSession(
        trace_configs=[_telling(heard)] if heard else [],
        connector=aiohttp.TCPConnector(limit=max_in_flight, ttl_dns_cache=_DNS_CACHE_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        read_bufsize=_READ_BUFFER_BYTES,
        trust_env=False,
        headers={
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            "User-Agent": "streaming-eval",
        },
    )


def _telling(heard: Heard) -> aiohttp.TraceConfig:
    async def ended(
        _: aiohttp.ClientSession, __: object, request: aiohttp.TraceRequestEndParams
    ) -> None:
        heard(request.response.headers)

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(ended)
    return trace


def retryable_status(status: int) -> bool:
    """Whether the same request may succeed later."""
    return status in _RETRYABLE_4XX or status >= 500


@dataclass(frozen=True, slots=True)
class JsonReply:
    """The object that came with status 200; the latency is from connecting to the last byte."""

    document: Mapping[str, Any]
    latency_ms: float


class HttpExchange:
    """Posts JSON to one address.

    Args:
        session: from `open_session`.
        url: the whole address.
        headers: sent with every request beside the session's own.
        secret: what no message may hold, if anything.
        timeout_s: of one exchange, from connecting to the last byte.
        max_reply_bytes: a longer reply is given up.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        *,
        headers: Mapping[str, str],
        secret: str | None,
        timeout_s: float,
        max_reply_bytes: int = MAX_REPLY_BYTES,
    ) -> None:
        if secret is not None and not (secret and secret.isascii() and secret.isprintable()):
            raise SettingsError("the API key is empty or holds characters that no header can carry")
        self._session, self._url, self._headers = session, URL(url), dict(headers)
        self._secret, self._max_reply_bytes = secret, max_reply_bytes
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, ceil_threshold=math.inf)

    async def post(self, body: bytes) -> JsonReply:
        """One exchange.

        Raises:
            RetryableError: it may succeed later; see the module's list of reasons.
            PermanentError: it will not.
        """
        outcome = await self._outcome(body)
        if isinstance(outcome, InferenceError):
            raise outcome  # outside any `except`: the errors of aiohttp carry the request's headers
        return outcome

    async def _outcome(self, body: bytes) -> JsonReply | InferenceError:
        data = body if len(body) <= _WARNED_OF_BYTES else BytesIO(body)
        started = time.perf_counter()
        try:
            async with self._session.post(
                self._url,
                data=data,
                headers=self._headers,
                timeout=self._timeout,
                allow_redirects=False,
            ) as reply:
                if reply.status != HTTPStatus.OK:
                    return self._refused(reply, await self._said(reply))
                content = await read_at_most(self._max_reply_bytes, reply)
                document = parse_object(reply, content)
        except InferenceError as error:
            # Its frames hold what was read of the reply, and no collector runs during a batch.
            return error.with_traceback(None)
        except (aiohttp.ClientError, OSError) as error:  # a TimeoutError is an OSError
            return self._broken(error)
        return JsonReply(document, (time.perf_counter() - started) * 1000)

    async def _said(self, reply: aiohttp.ClientResponse) -> object:
        """The document of an error reply; trouble in reading it must not hide its status."""
        try:
            return orjson.loads(await read_at_most(_MAX_ERROR_BYTES, reply))
        except (InferenceError, aiohttp.ClientError, OSError, orjson.JSONDecodeError):
            return None

    def _refused(self, reply: aiohttp.ClientResponse, said: object) -> InferenceError:
        status, message = reply.status, self.presentable(explanation(said))
        if 300 <= status < 400:
            return PermanentError("redirect", f"HTTP {status}; redirects are not followed")
        if retryable_status(status):
            wish_s = retry_after_s(reply.headers, datetime.now(UTC))
            return RetryableError(f"http_{status}", message, wish_s)
        if status == HTTPStatus.BAD_REQUEST and content_filtered(said):
            return PermanentError("content_filter", message)
        return PermanentError(f"http_{status}", message)

    def _broken(self, error: Exception) -> InferenceError:
        message = self.presentable(f"{type(error).__name__}: {error}")
        match error:
            case TimeoutError():
                return RetryableError("timeout", f"no whole reply in {self._timeout.total:g} s")
            case aiohttp.ClientResponseError():  # it quotes, after a colon, what was not HTTP
                return RetryableError("bad_http", error.message.partition(":")[0])
            case aiohttp.ServerDisconnectedError():  # it quotes what there was of a reply
                return RetryableError("connection", "the server closed the connection")
            case aiohttp.ClientConnectorDNSError():
                return RetryableError("dns", message)
            case aiohttp.ClientSSLError():
                return PermanentError("tls", message)
            case _:
                return RetryableError("connection", message)

    def presentable(self, message: str) -> str:
        """The message without the API key, and not longer than a line or two."""
        if self._secret:
            message = message.replace(self._secret, "[api key]")
        return message[:_MAX_MESSAGE_CHARS]
