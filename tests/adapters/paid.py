"""Answers that were paid for."""

from __future__ import annotations

from streaming_eval.inference.cache.cache_key import cache_key, canonical
from streaming_eval.inference.cache.paid_answer import PaidAnswer
from streaming_eval.records import Response, Usage
from tests.inference.requests import request


def paid(question: str, text: str = "answer to {question}") -> PaidAnswer:
    """The answer to this question."""
    asked = request(question)
    response = Response(
        text.format(question=question),
        finish_reason="stop",
        usage=Usage(9, 3),
        latency_ms=12.5,
        created_ms=1_700_000_000_123,
        attempts=2,
    )
    return PaidAnswer(cache_key(asked), canonical(asked).decode(), response)
