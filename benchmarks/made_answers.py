"""Stored answers in any number: like real ones, or short and quickly made."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

import numpy as np
import pyarrow as pa

from streaming_eval.adapters.schemas import RESPONSES
from streaming_eval.inference.cache.cache_key import canonical, key_of
from streaming_eval.inference.cache.paid_answer import PaidAnswer
from streaming_eval.records import Message, Request, Response, Usage

_WORDS = [f"{w}{n}" for n in range(2_000) for w in ("ka", "lomi", "terasu", "venopilu", "ze")]
_EPOCH_MS = 1_700_000_000_000
_SHORT_TEXTS = 20_000


def request(n: int) -> Request:
    """A question of 40 words."""
    words = " ".join(_WORDS[(n * 104_729 + i * i * 37) % len(_WORDS)] for i in range(40))
    return Request(
        endpoint="http://127.0.0.1:8000/v1",
        api="openai_chat",
        model="llama-2-7b",
        messages=(Message("user", f"{n} {words}"),),
        parameters={"temperature": 0},
    )


def answers(start: int, count: int) -> Iterator[PaidAnswer]:
    """Questions of 40 words and answers of 60, some 700 characters together."""
    for n in range(start, start + count):
        text = canonical(request(n))
        response = Response(
            _text(n, 60),
            finish_reason="stop",
            usage=Usage(60, 90),
            latency_ms=800.0 + n % 500,
            created_ms=_EPOCH_MS + n,
            attempts=1,
        )
        yield PaidAnswer(key_of(text), text.decode(), response)


def short_key(n: int) -> str:
    """The cache key of the n-th of `short_answers`."""
    return sha256(_short_request(n).encode()).hexdigest()


class ShortAnswers:
    """Rows of `responses` with a number for a question and 15 words for an answer."""

    def __init__(self) -> None:
        self._texts = pa.array([_text(n, 15) for n in range(_SHORT_TEXTS)])

    def table(self, start: int, count: int) -> pa.Table:
        """So many of them, as a table."""
        n = np.arange(start, start + count)
        requests = [_short_request(i) for i in range(start, start + count)]
        columns = {
            "cache_key": pa.array([sha256(text.encode()).hexdigest() for text in requests]),
            "endpoint": pa.repeat("http://127.0.0.1:8000/v1", count),
            "api": pa.repeat("openai_chat", count),
            "model": pa.repeat("llama-2-7b", count),
            "revision": pa.repeat("", count),
            "request": pa.array(requests),
            "text": self._texts.take(pa.array(n % _SHORT_TEXTS)),
            "finish_reason": pa.repeat("stop", count),
            "input_tokens": pa.repeat(8, count),
            "output_tokens": pa.repeat(22, count),
            "latency_ms": pa.array(800.0 + n % 500),
            "attempts": pa.repeat(1, count),
            "created_at": pa.array(1_000 * (_EPOCH_MS + n)),
            "job": pa.repeat("bench", count),
        }
        arrays = [columns[field.name].cast(field.type) for field in RESPONSES]
        return pa.Table.from_arrays(arrays, schema=RESPONSES)


def _short_request(n: int) -> str:
    return f'{{"n":{n}}}'


def _text(n: int, words: int) -> str:
    return " ".join(_WORDS[(n * 7_919 + i * i * 31) % len(_WORDS)] for i in range(words))
