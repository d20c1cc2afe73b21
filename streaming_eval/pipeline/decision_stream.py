"""Rows of the `decisions` table as rows of the monitor's stream."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from streaming_eval.adapters.schemas import DECISIONS
from streaming_eval.alerting import Baseline, Decision
from streaming_eval.pipeline.codec import Codec
from streaming_eval.pipeline.preaggregate import PANE_COUNTS
from streaming_eval.pipeline.score_rows import instant

DECISION: Codec[Decision] = Codec(Decision, "decision")
READ_DECISIONS = tuple(DECISIONS.names)
STREAM_ROWS = PANE_COUNTS.append(pa.field(DECISION.column, pa.string()))
"""Counts of a series and pane, or a decision about a series."""


def decision_rows(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """One row per decision, without counts. It is no news of time, so the watermark stays."""
    rows = [
        {
            "series_key": row["series_key"],
            "pane_ms": 0,
            "levels": [],
            "counts": [],
            "newest": instant(0),
            DECISION.column: DECISION.pack(decision(row))[0],
        }
        for batch in batches
        for row in batch.to_pylist()
    ]
    if rows:
        yield pa.RecordBatch.from_pylist(rows, schema=STREAM_ROWS)


def count_rows(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Rows of `pane_counts` as rows of the stream."""
    for batch in batches:
        columns = [*batch.columns, pa.nulls(batch.num_rows, pa.string())]
        yield pa.RecordBatch.from_arrays(columns, schema=STREAM_ROWS)


def decision(row: Mapping[str, Any]) -> Decision:
    """The decision that stands in a row of the table."""
    promotes = row["baseline_id"] is not None
    return Decision(
        made_ms=_ms(row["decided_at"]) or 0,
        known_until_ms=_ms(row["known_until"]) or 0,
        by=row["decided_by"],
        reason=row["reason"],
        baseline=_baseline(row) if promotes else None,
        alarm_opened_ms=None if promotes else _ms(row["opened_pane"]),
    )


def _baseline(row: Mapping[str, Any]) -> Baseline:
    return Baseline(
        counts=tuple(row["counts"]),
        begin_ms=_ms(row["period_start"]),
        end_ms=_ms(row["period_end"]),
        id=row["baseline_id"],
    )


def _ms(moment: dt.datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1_000)
