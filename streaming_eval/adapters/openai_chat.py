"""Chat completions as OpenAI defined them, and as vLLM, Ollama, LiteLLM and many others serve them.

Azure is reached with `Extras(query={"api-version": ...}, key_header="api-key")`. Parameters are
sent as they are: `stop`, `response_format`, `max_tokens` and whatever else the server knows.

Reasons of its own, beside those of `http_exchange` and `json_api`: `empty_choices`,
`content_filter`, `no_text`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streaming_eval.adapters.http_exchange import open_session
from streaming_eval.adapters.json_api import JsonApi
from streaming_eval.adapters.token_counts import usage_of
from streaming_eval.errors import PermanentError
from streaming_eval.records import Request, Response

__all__ = ["API", "OpenAIChat", "open_session"]

API = "openai_chat"


class OpenAIChat(JsonApi):
    """`/chat/completions`; by convention the base URL ends in `/v1`."""

    name = API
    answers = "choices"

    def path(self, request: Request) -> str:
        return "/chat/completions"

    def document(self, request: Request) -> Mapping[str, object]:
        messages = [{"role": m.role, "content": m.content} for m in request.messages]
        return {**request.parameters, "model": request.model, "messages": messages}

    def read(self, request: Request, document: Mapping[str, Any]) -> Response:
        text, finish_reason = _answer(document)
        usage = usage_of(document.get("usage"), ("prompt_tokens",), ("completion_tokens",))
        return Response(text, finish_reason=finish_reason, usage=usage)


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
