"""A `responses` table in a directory of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from streaming_eval.adapters.schemas import RESPONSES
from streaming_eval.inference.cache.cache_key import cache_key, canonical
from streaming_eval.records import Response, Usage
from tests.inference.requests import request

CREATED = datetime(2025, 6, 1, 12, 0, 0, 123_456, tzinfo=UTC)


def key(n: int) -> str:
    """The cache key of the n-th question."""
    return cache_key(request(f"question {n}"))


def expected(n: int, text: str = "answer {n}") -> Response:
    """What the index should say of a row."""
    return Response(
        text.format(n=n),
        finish_reason="stop" if n % 2 else None,
        usage=Usage(n, None),
        latency_ms=n + 0.5,
        created_ms=int(CREATED.timestamp() * 1000),
        attempts=1,
        cached=True,
    )


def row(n: int, text: str = "answer {n}") -> dict[str, object]:
    asked, response = request(f"question {n}"), expected(n, text)
    return {
        "cache_key": key(n),
        "endpoint": asked.endpoint,
        "api": asked.api,
        "model": asked.model,
        "revision": asked.revision,
        "request": canonical(asked).decode(),
        "text": response.text,
        "finish_reason": response.finish_reason,
        "input_tokens": response.usage.input_tokens,
        "output_tokens": response.usage.output_tokens,
        "latency_ms": response.latency_ms,
        "attempts": response.attempts,
        "created_at": CREATED,
        "job": "eval",
    }


class Responses:
    """The table and its newest version; each `append` is one commit and one file."""

    def __init__(self, directory: Path) -> None:
        self.uri = str(directory)
        DeltaTable.create(self.uri, schema=RESPONSES)

    @property
    def table(self) -> DeltaTable:
        return DeltaTable(self.uri)

    @property
    def version(self) -> int:
        return self.table.version()

    def append(self, numbers: Iterable[int], text: str = "answer {n}") -> int:
        return self.append_rows([row(n, text) for n in numbers])

    def append_rows(self, rows: Sequence[dict[str, object]]) -> int:
        """Append one commit and return its version."""
        write_deltalake(self.uri, pa.Table.from_pylist(list(rows), RESPONSES), mode="append")
        return self.version

    def files(self) -> list[Path]:
        return sorted(Path(self.uri).glob("*.parquet"))
