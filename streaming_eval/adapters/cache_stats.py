"""What is in the cache: how many answers, how large, from whom, how old."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder

from streaming_eval.adapters.answer_duplicates import key_count

_BY_MODEL = """
    SELECT endpoint, model, revision, count(*) AS answers,
           coalesce(sum(input_tokens), 0) AS input_tokens,
           coalesce(sum(output_tokens), 0) AS output_tokens,
           coalesce(sum(latency_ms), 0) / 1000 AS latency_s,
           min(created_at) AS oldest, max(created_at) AS newest
    FROM responses GROUP BY endpoint, model, revision ORDER BY endpoint, model, revision
"""


@dataclass(frozen=True, slots=True)
class ModelAnswers:
    """What one model at one endpoint answered.

    Attributes:
        answers: rows, superseded ones too.
        input_tokens: of all of them, as far as the API said.
        output_tokens: likewise.
        latency_s: seconds that the answers took one after the other; a replay saves them.
        oldest: instant of the first answer, RFC 3339 in UTC.
        newest: of the last one.
    """

    endpoint: str
    model: str
    revision: str
    answers: int
    input_tokens: int
    output_tokens: int
    latency_s: float
    oldest: str
    newest: str


@dataclass(frozen=True, slots=True)
class CacheStats:
    """The cache in figures.

    Attributes:
        rows: answers in the table.
        keys: different requests they answer.
        superseded: rows that a newer answer to the same request has replaced: `rows` - `keys`.
        files: data files of the table as it is now.
        bytes: their size together; files of earlier versions are not counted.
        bytes_per_row: None where there is no row.
    """

    rows: int
    keys: int
    superseded: int
    files: int
    bytes: int
    bytes_per_row: float | None
    models: tuple[ModelAnswers, ...]


def cache_stats(responses: Path) -> CacheStats:
    """Reads the log and a few short columns of every file.

    Args:
        responses: the table's directory.
    """
    table = DeltaTable(str(responses))
    files = pa.table(table.get_add_actions())
    answers = pa.table(QueryBuilder().register("responses", table).execute(_BY_MODEL).read_all())
    models = tuple(_model(row) for row in answers.to_pylist())
    rows, size = sum(model.answers for model in models), sum(files["size_bytes"].to_pylist())
    keys = key_count(responses, table.version())
    return CacheStats(
        rows=rows,
        keys=keys,
        superseded=rows - keys,
        files=files.num_rows,
        bytes=size,
        bytes_per_row=round(size / rows, 1) if rows else None,
        models=models,
    )


def _model(row: Mapping[str, Any]) -> ModelAnswers:
    return ModelAnswers(
        endpoint=row["endpoint"],
        model=row["model"],
        revision=row["revision"],
        answers=row["answers"],
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
        latency_s=round(row["latency_s"], 3),
        oldest=row["oldest"].isoformat(),
        newest=row["newest"].isoformat(),
    )
