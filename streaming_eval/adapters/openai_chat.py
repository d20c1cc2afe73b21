"""Chat completions as OpenAI defined them, and as vLLM, Ollama, LiteLLM and many others serve them.

Reasons of its own, beside those of `http_exchange`: `invalid_request`, `wrong_endpoint`,
`error_in_200`, `empty_choices`, `content_filter`, `no_text`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import orjson

from streaming_eval.adapters.http_exchange import (
    MAX_REPLY_BYTES,
    HttpExchange,
    open_session,
    retryable_status,
)
from streaming_eval.adapters.http_reply import explanation
from streaming_eval.errors import InferenceError, PermanentError, RetryableError
from streaming_eval.records import Request, Response, Usage

__all__ = ["API", "OpenAIChat", "open_session"]

API = "openai_chat"
_MOST_TOKENS = 2**31


class OpenAIChat:
    """One endpoint; `send` is one attempt.

    Args:
        session: from `open_session`.
        base_url: by convention ends in `/v1`; requests to any other endpoint are refused.
        api_key: sent as bearer token; None sends none.
        timeout_s: of one attempt, from connecting to the last byte.
        max_reply_bytes: a longer reply is an error.
        now: epoch seconds.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        base_url: str,
        api_key: str | None,
        timeout_s: float,
        max_reply_bytes: int = MAX_REPLY_BYTES,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._base_url, self._now = base_url, now
        self._http = HttpExchange(
            session,
            f"{base_url.rstrip('/')}/chat/completions",
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            secret=api_key,
            timeout_s=timeout_s,
            max_reply_bytes=max_reply_bytes,
        )

    async def send(self, request: Request) -> Response:
        """The model's answer.

        Raises:
            RetryableError: the call may succeed later.
            PermanentError: it will not succeed as it stands.
        """
        if request.endpoint != self._base_url:
            raise PermanentError("wrong_endpoint", "the request is meant for another endpoint")
        reply = await self._http.post(_body(request))
        if reply.document.get("error") and not reply.document.get("choices"):
            raise self._reported(reply.document["error"])
        text, finish_reason = _answer(reply.document)
        return Response(
            text=text,
            finish_reason=finish_reason,
            usage=_usage(reply.document.get("usage")),
            latency_ms=reply.latency_ms,
            created_ms=int(self._now() * 1000),
            attempts=1,
        )

    def _reported(self, error: object) -> InferenceError:
        """The error that came with status 200; gateways put the true status into its `code`."""
        message = self._http.presentable(explanation(error))
        code = error.get("code") if isinstance(error, dict) else None
        if isinstance(code, int) and retryable_status(code):
            return RetryableError("error_in_200", message)
        return PermanentError("error_in_200", message)


def _body(request: Request) -> bytes:
    messages = [{"role": m.role, "content": m.content} for m in request.messages]
    document = {**request.parameters, "model": request.model, "messages": messages}
    try:
        return orjson.dumps(document)
    except TypeError as error:
        raise PermanentError("invalid_request", f"the request has no JSON form: {error}") from None


def _answer(document: Mapping[str, Any]) -> tuple[str, str | None]:
    """Text and finish reason of the first choice; a refusal is an answer, a filtered one is not."""
    choices = document.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        raise PermanentError("empty_choices", "the reply holds no choice with a message")
    finish_reason = choice.get("finish_reason")
    if finish_reason == "content_filter":
        raise PermanentError("content_filter", "the endpoint filtered the answer")
    if isinstance(text := message.get("content"), str):
        return text, finish_reason if isinstance(finish_reason, str) else None
    if isinstance(refusal := message.get("refusal"), str):
        return refusal, "refusal"
    raise PermanentError("no_text", "the message holds no text")


def _usage(usage: object) -> Usage:
    if not isinstance(usage, dict):
        return Usage()
    return Usage(_tokens(usage.get("prompt_tokens")), _tokens(usage.get("completion_tokens")))


def _tokens(count: object) -> int | None:
    return count if type(count) is int and 0 <= count < _MOST_TOKENS else None
