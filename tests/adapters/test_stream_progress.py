from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from streaming_eval.adapters.stream_progress import has_unread_rows


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Versions 0 to 2 append rows."""
    table = tmp_path / "table"
    for n in range(3):
        write_deltalake(table, pa.table({"n": [n]}), mode="append")
    return table


def checkpoint(table: Path, *offsets: object, committed: int) -> Path:
    """The query's progress; of its batches that many are committed."""
    path = table.with_name("checkpoint")
    for log, entries in (
        ("offsets", [f"v1\n{{}}\n{json.dumps(offset)}" for offset in offsets]),
        ("commits", ["v1\n{}"] * committed),
    ):
        (path / log).mkdir(parents=True, exist_ok=True)
        for n, entry in enumerate(entries):
            (path / log / str(n)).write_text(entry)
    return path


def at(*versions: int) -> list[dict[str, int]]:
    return [{"version": version} for version in versions]


def test_before_the_first_batch_nothing_is_needed(table: Path) -> None:
    assert not has_unread_rows(table.with_name("none"), table)
    assert not has_unread_rows(checkpoint(table, committed=0), table)


@pytest.mark.parametrize(("version", "unread"), [(0, True), (1, True), (2, False)])
def test_rows_after_the_last_finished_batch_are_unread(
    table: Path, version: int, unread: bool
) -> None:
    assert has_unread_rows(checkpoint(table, *at(0, version), committed=2), table) is unread


def test_a_batch_that_was_planned_and_not_finished_is_unread(table: Path) -> None:
    assert has_unread_rows(checkpoint(table, *at(1, 2), committed=1), table)


def test_a_first_batch_that_was_planned_and_not_finished_is_unread(table: Path) -> None:
    assert has_unread_rows(checkpoint(table, *at(2), committed=0), table)


CHANGES: list[Callable[[DeltaTable], object]] = [
    lambda table: table.optimize.compact(),
    lambda table: table.delete("n = 1"),
    lambda table: table.alter.set_table_properties({"delta.appendOnly": "false"}),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_commit_that_appends_nothing_leaves_nothing_to_read(
    table: Path, change: Callable[[DeltaTable], object]
) -> None:
    change(DeltaTable(table))
    assert DeltaTable(table).version() == 3
    assert not has_unread_rows(checkpoint(table, *at(2), committed=1), table)


@pytest.mark.parametrize("offset", ["text", {"reservoirVersion": 2}, None, 7])
def test_progress_that_cannot_be_made_out_counts_as_unread(table: Path, offset: object) -> None:
    assert has_unread_rows(checkpoint(table, offset, committed=1), table)
