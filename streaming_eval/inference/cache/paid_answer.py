"""An answer that was paid for, and its one form as bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from streaming_eval.errors import StorageError
from streaming_eval.inference.cache.cache_key import FORMAT, key_of
from streaming_eval.records import Response, Usage


@dataclass(frozen=True, slots=True)
class PaidAnswer:
    """A successful response and the request it answers.

    Attributes:
        cache_key: of the request.
        request: its canonical text, which the key is the hash of.
    """

    cache_key: str
    request: str
    response: Response


Document = Mapping[str, Any]
"""An answer as JSON: its key, its request, and the response as an object."""

_OF_THE_RESPONSE = frozenset(
    ("text", "finish_reason", "input_tokens", "output_tokens", "latency_ms", "created_ms")
) | {"attempts"}
_BEFORE_KEY = b'{"cache_key":"'
_KEY_CHARS = 64


def encode(answer: PaidAnswer) -> bytes:
    """Compact JSON on one line."""
    return orjson.dumps(document_of(answer))


def decode(data: bytes) -> PaidAnswer:
    """The inverse of `encode`.

    Raises:
        StorageError: it is not an answer, or the answer to another request than its key says.
    """
    document = checked_document(data)
    return PaidAnswer(document["cache_key"], document["request"], _response(document["response"]))


def document_of(answer: PaidAnswer) -> Document:
    """The JSON object that stands for an answer."""
    response = answer.response
    return {
        "cache_key": answer.cache_key,
        "request": answer.request,
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


def checked_document(data: bytes) -> Document:
    """What `document_of` gave for the answer that `data` encodes, at half the price of `decode`.

    Raises:
        StorageError: as `decode` does.
    """
    try:
        document: Document = orjson.loads(data)
        own_key = key_of(document["request"].encode())
        whole = document["response"].keys() >= _OF_THE_RESPONSE
    except (AttributeError, KeyError, TypeError, ValueError):
        whole = False
    if not whole:
        raise StorageError(f"not a paid answer of format {FORMAT}")
    if document.get("cache_key") != own_key:
        raise StorageError(
            f"the answer under {document.get('cache_key')} belongs to another request"
        )
    return document


def encoded_key(data: bytes) -> str | None:
    """The cache key of an answer's bytes, at a fraction of the price of `decode` and unchecked.

    None where they do not begin as an answer's do.
    """
    if not data.startswith(_BEFORE_KEY):
        return None
    key = data[len(_BEFORE_KEY) : len(_BEFORE_KEY) + _KEY_CHARS]
    return key.decode("ascii", "replace")


def _response(document: Mapping[str, Any]) -> Response:
    return Response(
        text=document["text"],
        finish_reason=document["finish_reason"],
        usage=Usage(document["input_tokens"], document["output_tokens"]),
        latency_ms=document["latency_ms"],
        created_ms=document["created_ms"],
        attempts=document["attempts"],
    )
