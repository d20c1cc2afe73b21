"""Text completions as OpenAI once defined them, and as vLLM and others serve them for base models.

A prompt is plain text: a request's one message, without its role. What is a conversation, or has a
system prompt, is no prompt. A request of several messages, as `with_coalescing` makes them, is
several prompts, answered by a `JointResponse`.

`max_completion_tokens` goes out as `max_tokens`, of which servers take 16 where it is absent; other
parameters are sent as they are, `stop` among them. `n` can only be 1.

Reasons of its own, beside those of `http_exchange` and `json_api`: `empty_choices`, and for a
prompt whose answer is missing, given twice, or no text, `no_text`; filtered, `content_filter`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streaming_eval.adapters.common_words import renamed
from streaming_eval.adapters.joint_reply import answer_of, by_index
from streaming_eval.adapters.json_api import JsonApi
from streaming_eval.adapters.token_counts import usage_of
from streaming_eval.errors import PermanentError
from streaming_eval.inference.complete import failed
from streaming_eval.records import Request, Response

_OWN_NAMES = {"max_completion_tokens": "max_tokens"}
_NO_TEXT = PermanentError("no_text", "the reply holds no text for this prompt")
_FILTERED = PermanentError("content_filter", "the endpoint filtered the answer")


class OpenAICompletions(JsonApi):
    """`/completions`; by convention the base URL ends in `/v1`."""

    name = "openai_completions"
    answers = "choices"
    max_inputs = 2_048

    @staticmethod
    def outputs(request: Request) -> int:
        return len(request.messages)

    def path(self, request: Request) -> str:
        return "/completions"

    def document(self, request: Request) -> Mapping[str, object]:
        own = renamed(request.parameters, _OWN_NAMES)
        if own.get("n", 1) != 1:
            raise PermanentError("invalid_request", "n must be 1: one prompt, one answer")
        prompts = [message.content for message in request.messages]
        # Some servers take a single prompt only as a string.
        return {**own, "model": request.model, "prompt": prompts if prompts[1:] else prompts[0]}

    def read(self, request: Request, document: Mapping[str, Any]) -> Response:
        choices = document.get("choices")
        if not isinstance(choices, list) or not choices:
            raise PermanentError("empty_choices", "the reply holds no choices")
        usage = usage_of(document.get("usage"), ("prompt_tokens",), ("completion_tokens",))
        return answer_of([*map(_part, by_index(choices, len(request.messages)))], usage)


def _part(choice: Mapping[str, Any] | None) -> Response:
    """What became of one prompt."""
    text = None if choice is None else choice.get("text")
    if choice is None or not isinstance(text, str):
        return failed(_NO_TEXT)
    finish_reason = choice.get("finish_reason")
    if finish_reason == "content_filter":
        return failed(_FILTERED)
    return Response(text, finish_reason=finish_reason if isinstance(finish_reason, str) else None)
