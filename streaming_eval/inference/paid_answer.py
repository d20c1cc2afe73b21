"""An answer that was paid for, and its one form as bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from streaming_eval.errors import InferenceError, StorageError
from streaming_eval.inference.cache_key import FORMAT, cache_key, canonical
from streaming_eval.records import Message, Request, Response, Usage


@dataclass(frozen=True, slots=True)
class PaidAnswer:
    """A successful response and the request it answers, under the request's cache key."""

    cache_key: str
    request: Request
    response: Response


def encode(answer: PaidAnswer) -> bytes:
    """Compact JSON on one line; the request is its canonical text."""
    response = answer.response
    return orjson.dumps(
        {
            "cache_key": answer.cache_key,
            "request": orjson.Fragment(canonical(answer.request)),
            "response": {
                "text": response.text,
                "finish_reason": response.finish_reason,
                "input_tokens": response.usage.input_tokens,
                "output_tokens": response.usage.output_tokens,
                "latency_ms": response.latency_ms,
                "created_ms": response.created_ms,
                "attempts": response.attempts,
            },
        }
    )


def decode(data: bytes) -> PaidAnswer:
    """The inverse of `encode`.

    Raises:
        StorageError: it is not an answer, or the answer to another request than its key says.
    """
    try:
        document = orjson.loads(data)
        answer = PaidAnswer(
            document["cache_key"], _request(document["request"]), _response(document["response"])
        )
        if answer.cache_key == cache_key(answer.request):
            return answer
    except (InferenceError, KeyError, TypeError, ValueError):
        raise StorageError(f"not a paid answer of format {FORMAT}") from None
    raise StorageError(f"the answer under {answer.cache_key} belongs to another request")


def _request(document: Mapping[str, Any]) -> Request:
    return Request(
        endpoint=document["endpoint"],
        api=document["api"],
        model=document["model"],
        messages=tuple(Message(m["role"], m["content"]) for m in document["messages"]),
        parameters=document["parameters"],
        revision=document["revision"],
        sample_index=document["sample_index"],
    )


def _response(document: Mapping[str, Any]) -> Response:
    return Response(
        text=document["text"],
        finish_reason=document["finish_reason"],
        usage=Usage(document["input_tokens"], document["output_tokens"]),
        latency_ms=document["latency_ms"],
        created_ms=document["created_ms"],
        attempts=document["attempts"],
    )
