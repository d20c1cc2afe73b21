"""What can be learnt from one HTTP reply, without trusting it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import aiohttp
import orjson

from streaming_eval.errors import PermanentError

_FILTER_CODES = frozenset(
    ("content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation")
)
_FILTER_WORDS = ("Output blocked by content filtering policy", "ContentPolicyViolationError")


async def read_at_most(limit: int, reply: aiohttp.ClientResponse) -> bytes:
    """The whole body, exactly as it was sent.

    Raises:
        PermanentError: `too_large`, more than `limit` bytes; the connection is closed, not drained.
    """
    chunks: list[bytes] = []
    size = 0
    if (reply.content_length or 0) <= limit:
        while chunk := await reply.content.readany():
            chunks.append(chunk)
            size += len(chunk)
            if size > limit:
                break
        else:
            return b"".join(chunks)
    reply.close()
    raise PermanentError("too_large", f"the reply exceeds {limit} bytes")


def parse_object(reply: aiohttp.ClientResponse, body: bytes) -> dict[str, Any]:
    """The JSON object in the body of a good reply.

    Raises:
        PermanentError: `wrong_content_encoding`, `wrong_content_type` or `bad_json`.
    """
    if reply.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise PermanentError("wrong_content_encoding", "compressed, although identity was asked")
    if not reply.content_type.endswith("json"):
        raise PermanentError("wrong_content_type", "the reply is not JSON by its content type")
    document = _loads(body)
    if not isinstance(document, dict):
        raise PermanentError("bad_json", "the reply is not a JSON object")
    return document


def _loads(body: bytes) -> object:
    with suppress(orjson.JSONDecodeError):  # raised further, it would hold the whole reply
        return orjson.loads(body)
    return None


def content_filtered(document: object) -> bool:
    """Whether an error says that a content filter stopped the request or its answer.

    Azure names it in `code`, LiteLLM passes on Azure's inner code or only says so in its message,
    as Anthropic does.

    >>> content_filtered({"error": {"message": "was filtered", "code": "content_filter"}})
    True
    >>> content_filtered({"error": {"message": "no such model", "code": "content_filter?"}})
    False
    """
    error = _member(document, "error")
    passed_on = _member(error, "provider_specific_fields")
    codes = (
        _member(error, "code"),
        _member(_member(error, "innererror"), "code"),
        _member(_member(passed_on, "innererror"), "code"),
    )
    if any(isinstance(code, str) and code in _FILTER_CODES for code in codes):
        return True
    message = explanation(document)
    return any(words in message for words in _FILTER_WORDS)


def _member(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None


def explanation(document: object) -> str:
    """The message in an error, in any of the usual shapes; empty where there is none.

    >>> explanation({"error": {"message": "no such model", "type": "invalid_request_error"}})
    'no such model'
    >>> explanation({"detail": "busy"}), explanation(["?"])
    ('busy', '')
    """
    found = document
    for name in ("error", "message", "detail"):
        if isinstance(found, dict):
            found = found.get(name, found)
    return found if isinstance(found, str) else ""
