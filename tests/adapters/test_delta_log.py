from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from streaming_eval.adapters.delta_log import Commit, DeltaLog
from streaming_eval.errors import StorageError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A table whose versions 1 to 3 append 1, 2 and 3 rows, each to two partitions."""
    root = tmp_path / "table of mine"
    DeltaTable.create(
        root, pa.schema([("n", pa.int64()), ("day", pa.string())]), partition_by="day"
    )
    for version in (1, 2, 3):
        append(root, version)
    return root


def append(root: Path, rows: int) -> None:
    days = pa.array(["a b", "c%d"] * rows)
    write_deltalake(root, pa.table({"n": list(range(2 * rows)), "day": days}), mode="append")


def rows_in(root: Path, commit: Commit) -> list[int]:
    for file in commit.appended:
        assert (root / file.path).is_file()
    return [file.rows for file in commit.appended]


def test_each_commit_names_the_files_it_appended(root: Path) -> None:
    commits = list(DeltaLog(root).commits(0, 3))
    assert [commit.version for commit in commits] == [1, 2, 3]
    assert [rows_in(root, commit) for commit in commits] == [[1, 1], [2, 2], [3, 3]]
    assert not any(commit.rewrites or commit.table_id for commit in commits)


def test_the_first_commit_makes_the_table(root: Path) -> None:
    (first,) = DeltaLog(root).commits(-1, 0)
    assert first.table_id == str(DeltaTable(root).metadata().id)
    assert first.appended == ()


def test_a_compaction_appends_nothing(root: Path) -> None:
    DeltaTable(root).optimize.compact()
    (compaction,) = DeltaLog(root).commits(3, 4)
    assert compaction == Commit(4, None, (), rewrites=False)


def test_a_deletion_is_a_rewrite_and_its_files_are_no_appends(root: Path) -> None:
    DeltaTable(root).delete("n = 0")
    (deletion,) = DeltaLog(root).commits(3, 4)
    assert deletion == Commit(4, None, (), rewrites=True)


def test_the_snapshot_holds_every_file_that_is_in_the_table_now(root: Path) -> None:
    log, table = DeltaLog(root), DeltaTable(root)
    table_id, version, files = log.snapshot()
    assert (table_id, version) == (str(table.metadata().id), 3)
    assert sum(file.rows for file in files) == 12
    table.optimize.compact()
    assert len(log.snapshot()[2]) == 2 < len(files)
    assert log.snapshot(3)[2] == files, "an older version can still be had"


@pytest.mark.parametrize(
    ("after", "max_rows", "reached"),
    [(0, 100, 3), (0, 12, 3), (0, 11, 2), (0, 6, 2), (0, 1, 1), (2, 1, 3), (3, 100, 3)],
)
def test_a_limit_on_rows_is_kept_but_for_the_first_commit(
    root: Path, after: int, max_rows: int, reached: int
) -> None:
    assert DeltaLog(root).reach(after, max_rows) == reached


def test_a_commit_that_is_gone_or_damaged_is_an_error(root: Path) -> None:
    log = DeltaLog(root)
    with pytest.raises(StorageError, match=r"00004\.json cannot be read: No such file"):
        list(log.commits(3, 4))
    (root / "_delta_log" / f"{2:020d}.json").write_text('{"add": {"path": "a"}}\n')
    with pytest.raises(StorageError, match=r"00002\.json is not a Delta commit"):
        log.reach(0, 100)


def test_a_directory_without_a_table_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="not a readable Delta table"):
        DeltaLog(tmp_path / "nothing").snapshot()
