"""The stream over a table, driven as Spark drives it; `test_end_to_end.py` has the real thing."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.sql.streaming.datasource import ReadAllAvailable

from streaming_eval.errors import StorageError
from streaming_eval.pipeline import appended_rows as module
from streaming_eval.pipeline.appended_rows import AppendedRows, AppendedRowsReader, Feed

Offset = dict[str, int]


def totals(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """One row per call: the numbers it was given."""
    numbers = [n for batch in batches for n in batch["n"].to_pylist()]
    yield pa.RecordBatch.from_pydict({"numbers": [sorted(numbers)]})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "table"
    DeltaTable.create(root, pa.schema([("n", pa.int64()), ("other", pa.string())]))
    for first in (0, 10, 20):
        append(root, first)
    return root


def append(root: Path, first: int, rows: int = 2) -> None:
    numbers = list(range(first, first + rows))
    write_deltalake(root, pa.table({"n": numbers, "other": ["x"] * rows}), mode="append")


def reader(root: Path, max_rows: int = 100, tasks: int = 2) -> AppendedRowsReader:
    return AppendedRowsReader(
        AppendedRows(
            (Feed("table", root, ("n",), totals),), "numbers array<long>", max_rows, tasks, 60.0
        )
    )


def read(stream: AppendedRowsReader, start: Offset, end: Offset) -> list[list[int]]:
    """What each call of the transformation was given, over all tasks."""
    parts = pickle.loads(pickle.dumps(stream.partitions(start, end)))
    return [
        row for part in parts for out in stream.read(part) for row in out["numbers"].to_pylist()
    ]


def newest(stream: AppendedRowsReader, start: Offset) -> Offset:
    return stream.latestOffset(start, ReadAllAvailable())


def test_it_begins_with_the_table_as_it_is_and_goes_on_with_what_is_appended(root: Path) -> None:
    stream = reader(root)
    begin = stream.initialOffset()
    first = newest(stream, begin)
    assert sorted(chain(*read(stream, begin, first))) == [0, 1, 10, 11, 20, 21]
    assert newest(stream, first) == first
    append(root, 30)
    second = newest(stream, first)
    assert read(stream, first, second) == [[30, 31]]
    assert read(stream, first, second) == [[30, 31]], "a batch that is repeated reads the same"


def test_a_table_without_rows_is_no_work(tmp_path: Path) -> None:
    DeltaTable.create(tmp_path, pa.schema([("n", pa.int64())]))
    stream = reader(tmp_path)
    begin = stream.initialOffset()
    assert read(stream, begin, newest(stream, begin)) == []


def test_files_are_shared_among_the_tasks(root: Path) -> None:
    assert [len(r) for r in read(reader(root), {"table": 0}, {"table": 3})] == [4, 2]


def test_a_backlog_is_read_in_batches_of_limited_size(root: Path) -> None:
    stream = reader(root, max_rows=4)
    assert newest(stream, {"table": 0}) == {"table": 2}
    assert newest(stream, {"table": 2}) == {"table": 3}


def test_a_large_task_is_transformed_in_parts(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ROWS_AT_ONCE", 3)
    parts = read(reader(root, tasks=1), {"table": 0}, {"table": 3})
    assert parts == [[0, 1, 10, 11], [20, 21]]


def test_compaction_and_deletion_bring_no_rows(root: Path) -> None:
    stream, table = reader(root), DeltaTable(root)
    table.optimize.compact()
    table.delete("n = 10")
    append(root, 40)
    assert newest(stream, {"table": 3}) == {"table": 6}
    assert read(stream, {"table": 3}, {"table": 6}) == [[40, 41]]


def test_a_file_that_was_compacted_and_deleted_unread_is_named(root: Path) -> None:
    table = DeltaTable(root)
    table.optimize.compact()
    table.vacuum(0, dry_run=False, enforce_retention_duration=False)
    with pytest.raises(StorageError, match="compacted and deleted before it was read"):
        read(reader(root), {"table": 0}, {"table": 3})


def test_several_tables_are_one_stream_with_an_offset_each(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    DeltaTable.create(other, pa.schema([("n", pa.int64()), ("other", pa.string())]))
    feeds = tuple(Feed(name, at, ("n",), totals) for name, at in (("a", root), ("b", other)))
    stream = AppendedRowsReader(AppendedRows(feeds, "numbers array<long>", 100, 1, 60.0))
    begin = stream.initialOffset()
    first = newest(stream, begin)
    assert first == {"a": 3, "b": 0}
    assert read(stream, begin, first) == [[0, 1, 10, 11, 20, 21]]
    append(other, 70)
    second = newest(stream, first)
    assert second == {"a": 3, "b": 1}
    assert read(stream, first, second) == [[70, 71]]
    append(root, 30)
    append(other, 80)
    assert read(stream, second, newest(stream, second)) == [[30, 31], [80, 81]]
