"""Google's Gemini API: `models/{model}:generateContent`.

The key travels in a header, never in the address, where proxies would log it. System prompts go
into `systemInstruction`. Parameters become `generationConfig`, but for those that the API wants
beside it (`safetySettings`, `tools`, ...); `max_tokens`, `max_completion_tokens`, `stop`, `top_p`,
`top_k`, the two penalties and `response_format` are translated.

Finish reasons are told in the words of OpenAI, `stop` and `length`, others in lower case. Thoughts
are no text; their tokens are output.

Reasons of its own, beside those of `http_exchange` and `json_api`: `content_filter` (the prompt or
the answer was blocked), `empty_candidates`, `no_text`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import groupby
from operator import attrgetter
from typing import Any

from streaming_eval.adapters.common_words import as_list, conversation, renamed, wanted_schema
from streaming_eval.adapters.json_api import JsonApi
from streaming_eval.adapters.token_counts import usage_of
from streaming_eval.errors import PermanentError
from streaming_eval.records import Request, Response

_MODEL = re.compile(r"(?:[A-Za-z]+/)?[A-Za-z0-9][A-Za-z0-9._@-]*")
_ROLES = {"user": "user", "assistant": "model"}
_OWN_NAMES = {
    "frequency_penalty": "frequencyPenalty",
    "max_completion_tokens": "maxOutputTokens",
    "max_tokens": "maxOutputTokens",
    "presence_penalty": "presencePenalty",
    "stop": "stopSequences",
    "top_k": "topK",
    "top_p": "topP",
}
_BESIDE_CONFIG = frozenset(
    ("cachedContent", "labels", "safetySettings", "serviceTier", "store", "toolConfig", "tools")
)
_FINISH_REASONS = {"STOP": "stop", "MAX_TOKENS": "length"}
_FILTERED = frozenset(
    ("BLOCKLIST", "ESCALATION", "MODEL_ARMOR", "PROHIBITED_CONTENT", "RECITATION", "SAFETY", "SPII")
)
_INPUT = ("promptTokenCount", "toolUsePromptTokenCount")
_OUTPUT = ("candidatesTokenCount", "thoughtsTokenCount")


class Gemini(JsonApi):
    """`/models/{model}:generateContent`; by convention the base URL ends in `/v1beta` or `/v1`."""

    name = "gemini"
    answers = "candidates"
    key_header = "x-goog-api-key"

    def path(self, request: Request) -> str:
        model = request.model
        if not _MODEL.fullmatch(model):
            raise PermanentError("invalid_request", "the model's name can be in no address")
        return f"/{model if '/' in model else f'models/{model}'}:generateContent"

    def document(self, request: Request) -> Mapping[str, object]:
        asked = conversation(request.messages)
        beside, config = _parameters(request.parameters)
        contents = [
            {"role": _ROLES[role], "parts": [{"text": turn.content} for turn in turns]}
            for role, turns in groupby(asked.turns, attrgetter("role"))
        ]
        document = {**beside, "generationConfig": config, "contents": contents}
        if asked.system is not None:
            document["systemInstruction"] = {"parts": [{"text": asked.system}]}
        return document

    def read(self, request: Request, document: Mapping[str, Any]) -> Response:
        _check_prompt(document.get("promptFeedback"))
        candidates = document.get("candidates")
        candidate = candidates[0] if isinstance(candidates, list) and candidates else None
        if not isinstance(candidate, dict):
            raise PermanentError("empty_candidates", "the reply holds no candidate")
        told = candidate.get("finishReason")
        reason = told if isinstance(told, str) else None
        if reason in _FILTERED:
            raise PermanentError("content_filter", f"the endpoint filtered the answer: {reason}")
        return Response(
            _text(candidate.get("content")),
            finish_reason=_FINISH_REASONS.get(reason, reason.lower()) if reason else None,
            usage=usage_of(document.get("usageMetadata"), _INPUT, _OUTPUT),
        )


def _parameters(parameters: Mapping[str, object]) -> tuple[dict[str, object], dict[str, object]]:
    """What goes beside `generationConfig`, and what goes into it."""
    own = renamed(parameters, _OWN_NAMES)
    beside = {name: own.pop(name) for name in _BESIDE_CONFIG & own.keys()}
    if "stopSequences" in own:
        own["stopSequences"] = as_list(own["stopSequences"])
    schema = wanted_schema(own.pop("response_format", None))
    if schema is not None:
        own["responseMimeType"] = "application/json"
    if schema:
        own["responseJsonSchema"] = schema
    return beside, own


def _check_prompt(feedback: object) -> None:
    blocked = feedback.get("blockReason") if isinstance(feedback, dict) else None
    if isinstance(blocked, str):
        raise PermanentError("content_filter", f"the endpoint blocked the prompt: {blocked[:40]}")


def _text(content: object) -> str:
    """All parts joined that are text and no thought."""
    parts = content.get("parts") if isinstance(content, dict) else None
    said = [
        part["text"]
        for part in (parts if isinstance(parts, list) else [])
        if isinstance(part, dict) and isinstance(part.get("text"), str) and not part.get("thought")
    ]
    if not said:
        raise PermanentError("no_text", "the candidate holds no text")
    return "".join(said)
