"""Samples that lack an answer which they may get later: from the worker to the driver and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa

from streaming_eval.inference.calls.batch_deadline import BATCH_DEADLINE, NOT_BEGUN
from streaming_eval.inference.evaluate import SampleScore
from streaming_eval.inference.passing_failures import call_reason, worth_another_batch
from streaming_eval.inference.requeue import Failure, Pending, Place, place
from streaming_eval.pipeline.score_rows import Evaluated
from streaming_eval.records import KafkaRecord

RECORD_COLUMNS = ("topic", "partition", "offset", "timestamp_ms", "key", "value")
"""Columns of a record as workers get it, in the order of `KafkaRecord`."""
OWN_RATE = "sampling_rate"
"""Column with the rate at which a sample was drawn that has waited."""

_RECORD_FIELDS = (
    ("topic", pa.string()),
    ("partition", pa.int32()),
    ("offset", pa.int64()),
    ("timestamp_ms", pa.int64()),
    ("key", pa.binary()),
    ("value", pa.binary()),
)
UNFINISHED = pa.schema(
    [*_RECORD_FIELDS, ("reason", pa.string()), ("awaited", pa.list_(pa.string()))]
)
_RETRIES = pa.schema([*_RECORD_FIELDS, (OWN_RATE, pa.float64())])


def failures(evaluated: Iterable[Evaluated]) -> list[Failure]:
    """The samples with a call that is worth making again."""
    found = ((one.record, _failure(one.scores)) for one in evaluated)
    return [
        Failure(record, failure[0], failure[1]) for record, failure in found if failure is not None
    ]


def _failure(scores: Sequence[SampleScore]) -> tuple[str, tuple[str, ...]] | None:
    """Why a sample is not finished, and which answers may still come; None if it is.

    A sample does not wait for the anchor that went along with it.
    """
    own = [row for row in scores if row.anchor_id is None]
    failed = [row for row in own if row.score.error and worth_another_batch(row.score.error)]
    if not failed:
        return None
    reasons = [row.score.error or "" for row in failed]
    tried = [reason for reason in reasons if call_reason(reason) != NOT_BEGUN]
    awaited = {_awaited(row) for row in failed} - {None}
    return [*tried, *reasons][0], tuple(sorted(key for key in awaited if key))


def _awaited(row: SampleScore) -> str | None:
    """The call that is still under way, if it is."""
    if row.score.error == BATCH_DEADLINE:
        return row.cache_key
    under_way = call_reason(row.score.error or "") == BATCH_DEADLINE
    return row.judge_cache_key if under_way else None


def unfinished_table(unfinished: Sequence[Failure]) -> pa.Table:
    """One row per sample, columns as in `UNFINISHED`."""
    records = [failure.record for failure in unfinished]
    columns = {
        **_record_columns(records),
        "reason": [failure.reason for failure in unfinished],
        "awaited": [failure.awaited for failure in unfinished],
    }
    arrays = [pa.array(columns[field.name], field.type) for field in UNFINISHED]
    return pa.Table.from_arrays(arrays, schema=UNFINISHED)


def by_place(unfinished: pa.Table) -> dict[Place, Failure]:
    """The samples of a table as in `UNFINISHED`."""
    failures = (
        Failure(
            KafkaRecord(*(row[name] for name in RECORD_COLUMNS)),
            row["reason"],
            tuple(row["awaited"]),
        )
        for row in unfinished.to_pylist()
    )
    return {place(failure.record): failure for failure in failures}


def retries_table(taken: Mapping[Place, Pending]) -> pa.Table:
    """Samples that have waited, as workers get them."""
    columns = {
        **_record_columns([entry.record for entry in taken.values()]),
        OWN_RATE: [entry.rate for entry in taken.values()],
    }
    arrays = [pa.array(columns[field.name], field.type) for field in _RETRIES]
    return pa.Table.from_arrays(arrays, schema=_RETRIES)


def _record_columns(records: Sequence[KafkaRecord]) -> dict[str, list[object]]:
    return {name: [getattr(record, name) for record in records] for name in RECORD_COLUMNS}
