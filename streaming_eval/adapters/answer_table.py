"""Paid answers as rows of `responses`, made column by column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa

from streaming_eval.adapters.schemas import RESPONSES
from streaming_eval.inference.cache.freshness import supersedes
from streaming_eval.inference.cache.paid_answer import Document, PaidAnswer, document_of
from streaming_eval.inference.cache.request_fields import request_fields
from streaming_eval.records import Response

_ONE_FOR_ONE = (
    *("text", "finish_reason", "input_tokens", "output_tokens", "latency_ms"),
    "attempts",
)


def responses_table(answers: Iterable[PaidAnswer], job: str = "") -> pa.Table:
    """Answers that a job paid for, as rows with the columns of `RESPONSES`."""
    return spooled_table([document_of(answer) for answer in answers], job)


def spooled_table(documents: Sequence[Document], job: str) -> pa.Table:
    """The same of answers that are JSON objects still."""
    requests = [document["request"] for document in documents]
    given = [document["response"] for document in documents]
    asked = [request_fields(request) for request in requests]
    columns = {
        "cache_key": [document["cache_key"] for document in documents],
        "endpoint": [fields.endpoint for fields in asked],
        "api": [fields.api for fields in asked],
        "model": [fields.model for fields in asked],
        "revision": [fields.revision for fields in asked],
        "request": requests,
        **{name: [response[name] for response in given] for name in _ONE_FOR_ONE},
        "created_at": [response["created_ms"] * 1_000 for response in given],
        "job": [job] * len(requests),
    }
    arrays = [pa.array(columns[field.name], field.type) for field in RESPONSES]
    return pa.Table.from_arrays(arrays, schema=RESPONSES)


def newest_rows(rows: pa.Table) -> pa.Table:
    """Of each cache key the row that counts, in the order in which the keys first came."""
    keys = rows["cache_key"].to_pylist()
    if len(set(keys)) == len(keys):
        return rows
    best: dict[str, tuple[int, Response]] = {}
    for number, (key, answer) in enumerate(answers_in(rows)):
        rival = best.get(key)
        if rival is None or supersedes(answer, rival[1]):
            best[key] = number, answer
    return rows.take(pa.array([number for number, _ in best.values()]))


def answers_in(rows: pa.Table) -> Iterator[tuple[str, Response]]:
    """Of each row its key, and text and instant of its answer, which decide what counts."""
    created_ms = (us // 1_000 for us in rows["created_at"].cast(pa.int64()).to_pylist())
    texts = (rows[name].to_pylist() for name in ("cache_key", "text"))
    for key, text, instant in zip(*texts, created_ms, strict=True):
        yield key, Response(text, created_ms=instant)
