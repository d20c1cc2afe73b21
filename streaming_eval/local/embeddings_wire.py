"""The wire format of OpenAI's embeddings, answered by hashing words.

Word hashing (Weinberger et al. 2009, "Feature Hashing for Large Scale Multitask Learning") gives
texts that share words similar vectors, the same ones on every machine.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import blake2b
from http import HTTPStatus

import numpy as np
import numpy.typing as npt
import orjson

from streaming_eval.local.answers import AnswerBook, NotAnswerable
from streaming_eval.local.chat_request import (
    ChatRequest,
    members,
    name_of,
    texts_in,
    tokens_said,
)
from streaming_eval.local.http_message import Head
from streaming_eval.local.openai_wire import OPENAI_KEY, openai_error, openai_limits
from streaming_eval.local.wire_format import WireFormat
from streaming_eval.records import Message

HASHED_WORDS = "hashed-words"
_DIMENSIONS = 256
_MOST_DIMENSIONS = 4_096
_ENCODINGS = ("float", "base64")


def hashed_words(text: str, dimensions: int) -> npt.NDArray[np.float32]:
    """A vector of length 1; each word adds 1 or -1 in the direction that its hash names."""
    vector = np.zeros(dimensions, np.float32)
    for word in text.lower().split() or [text]:
        number = int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "little")
        vector[(number >> 1) % dimensions] += 1 if number & 1 else -1
    length = np.linalg.norm(vector)
    return vector / length if length else np.full(dimensions, dimensions**-0.5, np.float32)


def _parse(head: Head, body: object) -> ChatRequest:
    asked = members(body)
    texts = texts_in(asked.get("input"), "input")
    size = asked.get("dimensions", _DIMENSIONS)
    if not isinstance(size, int) or not 0 < size <= _MOST_DIMENSIONS:
        raise ValueError(f"'dimensions' must be a whole number of 1 to {_MOST_DIMENSIONS}")
    if asked.get("encoding_format", _ENCODINGS[0]) not in _ENCODINGS:
        raise ValueError(f"'encoding_format' must be one of {', '.join(_ENCODINGS)}")
    messages = tuple(Message("user", text) for text in texts)
    return ChatRequest(name_of(asked.get("model")), messages, asked)


def _answer(chat: ChatRequest, book: AnswerBook, call_id: str) -> bytes:
    if chat.model != HASHED_WORDS:
        message = f"the model {chat.model!r} does not exist here; {HASHED_WORDS!r} does"
        raise NotAnswerable(HTTPStatus.NOT_FOUND, "model_not_found", message)
    size = chat.options.get("dimensions", _DIMENSIONS)
    vectors = [hashed_words(message.content, int(str(size))) for message in chat.messages]
    packed = chat.options.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": _base64(v) if packed else v}
        for index, v in enumerate(vectors)
    ]
    tokens = sum(tokens_said(message.content) for message in chat.messages)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return orjson.dumps(
        {"object": "list", "data": data, "model": chat.model, "usage": usage},
        option=orjson.OPT_SERIALIZE_NUMPY,
    )


def _base64(vector: npt.NDArray[np.float32]) -> str:
    return b64encode(vector.astype("<f4").tobytes()).decode()


OPENAI_EMBEDDINGS = WireFormat("data", OPENAI_KEY, _parse, _answer, openai_error, openai_limits)
