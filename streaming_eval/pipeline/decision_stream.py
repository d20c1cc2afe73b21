"""Rows of the `decisions` table as rows of the monitor's stream."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from streaming_eval.adapters.schemas import DECISIONS
from streaming_eval.alerting import Baseline, Decision
from streaming_eval.pipeline.arrivals import NO_NEWS_OF_TIME, Arrival, bucket_rows

READ_DECISIONS = tuple(DECISIONS.names)


def decision_rows(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The stream's rows for rows of the table. They are no news of time, so the watermark stays."""
    rows = (row for batch in batches for row in batch.to_pylist())
    arrivals = (Arrival(row["series_key"], decision=decision(row)) for row in rows)
    yield from bucket_rows(arrivals, NO_NEWS_OF_TIME)


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
