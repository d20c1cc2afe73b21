"""Rows of the scores table, and the part of them that the monitor reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from streaming_eval.adapters.schemas import SCORES
from streaming_eval.pipeline.score_rows import instant

_READ = pa.schema(
    [
        *(SCORES.field(name) for name in ("model", "scorer", "evaluation_version", "event_time")),
        *(SCORES.field(name) for name in ("segments", "value", "paired_values", "scored_at")),
        *(SCORES.field(name) for name in ("sample_id", "weight", "cluster", "first_of_cluster")),
    ]
)


@dataclass(frozen=True, slots=True)
class Scored:
    """One score, as far as the monitor cares."""

    model: str
    scorer: str
    version: str
    at_ms: int = 0
    segments: Mapping[str, str] = field(default_factory=dict)
    value: float | None = 1.0
    paired: Mapping[str, float] = field(default_factory=dict)
    id: str = "a"
    scored_ms: int = 10**12
    weight: float = 1.0
    cluster: int | None = None
    first: bool | None = None


def batch(rows: Iterable[Scored]) -> pa.RecordBatch:
    """What Spark hands to `pane_counts`."""
    return pa.RecordBatch.from_pylist(
        [
            {
                "model": r.model,
                "scorer": r.scorer,
                "evaluation_version": r.version,
                "event_time": instant(r.at_ms),
                "segments": list(r.segments.items()),
                "value": r.value,
                "paired_values": list(r.paired.items()),
                "scored_at": instant(r.scored_ms),
                "sample_id": r.id,
                "weight": r.weight,
                "cluster": r.cluster,
                "first_of_cluster": r.first,
            }
            for r in rows
        ],
        schema=_READ,
    )


def score_row(sample_id: str, value: float | None = 1.0, **columns: object) -> dict[str, object]:
    """One row of `scores` with plausible values in the columns that are not given."""
    at_ms = columns.pop("at_ms", 0)
    assert isinstance(at_ms, int)
    at = instant(at_ms)
    return {
        "sample_id": sample_id,
        "model": "assistant",
        "scorer": "contains",
        "evaluation_version": "v1",
        "event_time": at,
        "event_date": at.date(),
        "segments": [],
        "value": value,
        "paired_values": [],
        "weight": 1.0,
        "status": "ok" if value is not None else "failed",
        "topic": "samples",
        "partition": 0,
        "offset": 0,
        "scored_at": at,
        "batch_id": 0,
        **columns,
    }


def score_table(rows: Iterable[Mapping[str, object]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=SCORES)
