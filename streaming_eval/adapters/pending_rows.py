"""Entries of the requeue's log as rows of `pending`, and back."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from streaming_eval.adapters.schemas import PENDING
from streaming_eval.inference.requeue import Pending
from streaming_eval.records import KafkaRecord

_US = 1_000
_INSTANTS = ("kafka_time", "not_before")


def pending_rows(entries: Sequence[Pending], application: str, batch: int, now_ms: int) -> pa.Table:
    """One row per entry, columns as in `PENDING`, bytes unchanged."""
    n = len(entries)
    columns = {
        "application": [application] * n,
        "batch_id": [batch] * n,
        "topic": [e.record.topic for e in entries],
        "partition": [e.record.partition for e in entries],
        "offset": [e.record.offset for e in entries],
        "kafka_time": [e.record.timestamp_ms * _US for e in entries],
        "key": [e.record.key for e in entries],
        "value": [e.record.value for e in entries],
        "batches": [e.batches for e in entries],
        "tries": [e.tries for e in entries],
        "settled": [e.settled for e in entries],
        "reason": [e.reason for e in entries],
        "not_before": [e.not_before_ms * _US for e in entries],
        "sampling_rate": [e.rate for e in entries],
        "committed_at": [now_ms * _US] * n,
    }
    arrays = [pa.array(columns[field.name], field.type) for field in PENDING]
    return pa.Table.from_arrays(arrays, schema=PENDING)


def pending_entries(rows: pa.Table) -> list[Pending]:
    """The entries that rows of `pending` are of."""
    for name in _INSTANTS:  # as numbers, since Python's dates do not reach as far
        milliseconds = pc.divide(rows[name].cast(pa.int64()), _US)
        rows = rows.set_column(rows.schema.get_field_index(name), name, milliseconds)
    return [
        Pending(
            KafkaRecord(
                row["topic"],
                row["partition"],
                row["offset"],
                row["kafka_time"],
                row["key"],
                row["value"],
            ),
            batches=row["batches"],
            tries=row["tries"],
            settled=row["settled"],
            reason=row["reason"],
            not_before_ms=row["not_before"],
            rate=row["sampling_rate"],
        )
        for row in rows.to_pylist()
    ]
