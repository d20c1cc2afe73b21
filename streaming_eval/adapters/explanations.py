"""The judges' words in `scores`: which rows have them from which answers, and how they go."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, write_deltalake
from pyarrow.dataset import Dataset
from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

from streaming_eval.adapters.schemas import SCORES

_LINKS = ("sample_id", "cache_key", "judge_cache_key", "event_date", "explanation")


def links(scores: Path) -> Iterator[pa.RecordBatch]:
    """All rows, with what ties samples to answers."""
    schema = pa.schema([SCORES.field(name) for name in _LINKS])
    dataset = DeltaTable(str(scores)).to_pyarrow_dataset()
    for batch in dataset.to_batches(columns=list(_LINKS)):
        yield batch.cast(schema)


def explained_by(batch: pa.RecordBatch, judge_keys: pa.Array) -> pa.Array:
    """Which rows hold words from the answers under these cache keys."""
    return pc.and_(pc.is_in(batch["judge_cache_key"], judge_keys), batch["explanation"].is_valid())


def clear_explanations(scores: Path, judge_keys: pa.Array) -> None:
    """Removes the words that came from these answers; one commit per day of the table.

    No other process may write to the table meanwhile.
    """
    days = {
        day
        for batch in links(scores)
        for day in batch["event_date"].filter(explained_by(batch, judge_keys)).to_pylist()
    }
    for day in sorted(days):
        table = DeltaTable(str(scores))
        # Read by Arrow alone, since delta-rs does not read while it writes.
        files = SubTreeFileSystem(str(scores), LocalFileSystem())
        dataset = table.to_pyarrow_dataset(filesystem=files)
        write_deltalake(
            table,
            pa.RecordBatchReader.from_batches(SCORES, _cleared(dataset, day, judge_keys)),
            mode="overwrite",
            predicate=f"event_date = '{day.isoformat()}'",
        )


def _cleared(dataset: Dataset, day: date, judge_keys: pa.Array) -> Iterator[pa.RecordBatch]:
    of_day = pc.field("event_date") == pa.scalar(day, pa.date32())
    place = SCORES.get_field_index("explanation")
    for batch in dataset.to_batches(filter=of_day):
        rows = batch.select(SCORES.names).cast(SCORES)
        words = pc.if_else(
            explained_by(rows, judge_keys), pa.scalar(None, pa.string()), rows["explanation"]
        )
        yield rows.set_column(place, SCORES.field(place), words)
