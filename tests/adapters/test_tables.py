from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, Schema, write_deltalake

from streaming_eval.adapters import tables as tables_module
from streaming_eval.adapters.schemas import DEAD_LETTERS, PARTITIONED_BY, SCHEMAS
from streaming_eval.adapters.tables import Tables
from streaming_eval.errors import StorageError
from tests.pipeline.scored import score_row, score_table

DAY_MS = 86_400_000


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    return Tables(tmp_path)


def some(*ids: str) -> pa.Table:
    return score_table(score_row(name, at_ms=n * DAY_MS) for n, name in enumerate(ids))


def ids(tables: Tables) -> list[str]:
    names: list[str] = tables.read("scores", ["sample_id"])["sample_id"].to_pylist()
    return sorted(names)


def test_every_table_is_there_at_once_with_its_columns(tables: Tables) -> None:
    for name, schema in SCHEMAS.items():
        table = DeltaTable(tables.uri(name))
        assert tables.read(name).equals(schema.empty_table())
        assert table.metadata().partition_columns == PARTITIONED_BY.get(name, [])
        assert tables.version(name) == 0


def test_what_is_appended_is_read_back_unchanged(tables: Tables) -> None:
    rows = score_table(
        [
            score_row("a", None, segments=[("tier", "ø|"), ("", "")], at_ms=-DAY_MS - 1),
            score_row("b", 0.1, paired_values=[("small", -1.5)], error="x", at_ms=DAY_MS),
        ]
    )
    assert tables.append("scores", rows, "app", 0)
    assert tables.read("scores").sort_by("sample_id").to_pylist() == rows.to_pylist()


def test_a_batch_is_appended_exactly_once(tables: Tables) -> None:
    assert [tables.append("scores", some("a"), "app", 3) for _ in range(3)] == [True, False, False]
    assert ids(tables) == ["a"]


def test_versions_count_per_application_and_table(tables: Tables) -> None:
    assert tables.append("scores", some("a"), "one", 3)
    assert tables.append("scores", some("b"), "two", 3)
    assert tables.append("scores", some("c"), "one", 4)
    assert not tables.append("scores", some("d"), "one", 2), "an older batch is in already"
    assert ids(tables) == ["a", "b", "c"]
    committed = [
        tables.committed(name, app, version)
        for name, app, version in (
            ("scores", "one", 4),
            ("scores", "one", 5),
            ("scores", "two", 4),
            ("scores", "new", 0),
            ("alerts", "one", 3),
        )
    ]
    assert committed == [True, False, False, False, False]


def test_a_new_process_knows_what_was_committed(tables: Tables, tmp_path: Path) -> None:
    tables.append("scores", some("a"), "app", 0)
    restarted = Tables(tmp_path)
    assert not restarted.append("scores", some("a"), "app", 0)
    assert restarted.append("scores", some("b"), "app", 1)
    assert ids(tables) == ["a", "b"], "and the old one sees what it wrote"


def test_nothing_to_append_makes_no_commit(tables: Tables) -> None:
    assert tables.append("scores", some(), "app", 0)
    tables.append_untracked("scores", some())
    assert tables.version("scores") == 0


def test_two_writers_at_once_lose_no_row(tmp_path: Path) -> None:
    def write(app: str) -> list[bool]:
        mine = Tables(tmp_path)
        start.wait()
        return [mine.append("scores", some(f"{app}{n}"), app, n) for n in range(10)]

    Tables(tmp_path)
    start = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        assert all(done for written in pool.map(write, "ab") for done in written)
    tables = Tables(tmp_path)
    assert ids(tables) == sorted(f"{app}{n}" for app in "ab" for n in range(10))
    assert tables.version("scores") == 20


def test_a_foreign_writer_loses_no_row_and_disturbs_no_commit(tables: Tables) -> None:
    for n in range(3):
        write_deltalake(tables.uri("scores"), some(f"theirs{n}"), mode="append")
        assert tables.append("scores", some(f"ours{n}"), "app", n)
        assert not tables.append("scores", some(f"ours{n}"), "app", n)
    assert ids(tables) == [f"{who}{n}" for who in ("ours", "theirs") for n in range(3)]


def test_rows_are_chosen_by_filters(tables: Tables) -> None:
    tables.append_untracked("scores", some("a", "b", "c"))
    found = tables.read("scores", ["sample_id", "value"], [("sample_id", ">=", "b")])
    assert found.column_names == ["sample_id", "value"]
    assert sorted(found["sample_id"].to_pylist()) == ["b", "c"]


def _junk(path: Path) -> None:
    (path / "notes").mkdir(parents=True)


def _parquet_without_log(path: Path) -> None:
    path.mkdir(parents=True)
    pq.write_table(some("a"), path / "part-0.parquet")
    (path / "_delta_log").mkdir()


def _file(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_text("scores")


def _broken_log(path: Path) -> None:
    (path / "_delta_log").mkdir(parents=True)
    (path / "_delta_log" / f"{0:020}.json").write_text("{")


def _log_without_beginning(path: Path) -> None:
    (path / "_delta_log").mkdir(parents=True)
    (path / "_delta_log" / f"{7:020}.json").write_text("{}\n")


def _other_columns(path: Path) -> None:
    DeltaTable.create(str(path), schema=DEAD_LETTERS)


def _root_is_a_file(path: Path) -> None:
    path.parent.write_text("")


@pytest.mark.parametrize(
    "spoil",
    [
        _junk,
        _parquet_without_log,
        _file,
        _broken_log,
        _log_without_beginning,
        _other_columns,
        _root_is_a_file,
    ],
)
def test_what_is_no_such_table_is_refused_by_name_and_left_as_it_is(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    path = tmp_path / "tables" / "scores"
    spoil(path)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if "scores" in str(p)}
    with pytest.raises(StorageError, match="tables"):
        Tables(tmp_path)
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_a_table_whose_making_was_cut_short_is_made(tmp_path: Path) -> None:
    (tmp_path / "tables" / "scores" / "_delta_log").mkdir(parents=True)
    assert Tables(tmp_path).version("scores") == 0


def test_a_table_to_which_others_have_added_columns_is_refused_at_the_start(
    tables: Tables, tmp_path: Path
) -> None:
    """Later, an append would fail in the middle of a batch."""
    wider = some("a").append_column("note", pa.array(["mine"]))
    write_deltalake(tables.uri("scores"), wider, mode="append", schema_mode="merge")
    with pytest.raises(StorageError, match="does not have the columns of the table 'scores'"):
        Tables(tmp_path)


def test_many_small_files_become_few_and_nothing_else_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables_module, "_COMPACTIONS", ((5, 64 * 1024),))
    tables = Tables(tmp_path)
    for n in range(5):
        assert len(DeltaTable(tables.uri("scores")).file_uris()) == n
        tables.append("scores", some(f"s{n}"), "app", n)
        tables.tend(["scores"])
    assert len(DeltaTable(tables.uri("scores")).file_uris()) == 1
    assert ids(tables) == [f"s{n}" for n in range(5)]
    assert not tables.append("scores", some("again"), "app", 4), "it still knows its commits"


def test_a_second_compaction_by_another_brings_no_row_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its handle may be as old as its last look: the first compaction has come since."""
    monkeypatch.setattr(tables_module, "_COMPACTIONS", ((3, 1_024 * 1_024),))
    one, other = Tables(tmp_path), Tables(tmp_path)
    for n in range(4):
        one.append("scores", some(f"s{n}"), "query", n)
    assert other.version("scores") == 4
    one.tend(["scores"])
    other.tend(["scores"])
    assert ids(Tables(tmp_path)) == ["s0", "s1", "s2", "s3"]


def test_a_table_whose_log_was_cleaned_since_the_last_look_is_seen_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that shares a table may be idle for longer than the log is kept."""
    monkeypatch.setattr(tables_module, "_COMPACTIONS", ((3, 1_024 * 1_024),))
    idle, other = Tables(tmp_path), Tables(tmp_path)
    for n in range(4):
        other.append("scores", some(f"s{n}"), "query", n)
    other.tend(["scores"])
    DeltaTable(other.uri("scores")).create_checkpoint()
    newest = other.version("scores")
    for entry in range(newest):
        (Path(other.uri("scores")) / "_delta_log" / f"{entry:020}.json").unlink()
    idle.tend(["scores"])
    assert idle.version("scores") >= newest
    assert ids(idle) == ids(Tables(tmp_path)) == ["s0", "s1", "s2", "s3"]


def test_dead_files_are_deleted_once_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s, vacuumed_at_s = [0.0], []

    def vacuum(table: DeltaTable, retention_hours: int, dry_run: bool) -> None:
        assert (retention_hours, dry_run) == (168, False)
        vacuumed_at_s.append(now_s[0])

    monkeypatch.setattr(DeltaTable, "vacuum", vacuum)
    tables = Tables(tmp_path, clock=lambda: now_s[0])
    for now_s[0] in (0.0, 86_399.0, 86_400.0, 86_500.0, 172_800.0):
        tables.tend(["alerts"])
    assert vacuumed_at_s == [86_400.0, 172_800.0]


def test_a_table_of_an_earlier_version_is_given_the_columns_that_it_lacks(tmp_path: Path) -> None:
    old = pa.schema([field for field in SCHEMAS["scores"] if "cluster" not in field.name])
    path = tmp_path / "tables" / "scores"
    write_deltalake(str(path), some("a", "b").select(old.names), partition_by=["event_date"])
    tables = Tables(tmp_path)
    tables.append("scores", some("c"), "app", 0)
    assert ids(tables) == ["a", "b", "c"]
    assert tables.read("scores", ["cluster"])["cluster"].null_count == 3
    assert ids(Tables(tmp_path)) == ["a", "b", "c"], "also when it is opened again"


def test_two_processes_may_open_a_table_of_an_earlier_version_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = pa.schema([field for field in SCHEMAS["scores"] if "cluster" not in field.name])
    path = tmp_path / "tables" / "scores"
    write_deltalake(str(path), some("a").select(old.names), partition_by=["event_date"])
    complete, others = tables_module._complete, list[Tables]()

    def slower(table: DeltaTable, wanted: Schema) -> None:
        with monkeypatch.context() as patch:  # the other one comes after the look
            patch.setattr(tables_module, "_complete", complete)
            others.append(Tables(tmp_path))
        complete(table, wanted)

    monkeypatch.setattr(tables_module, "_complete", slower)
    for n, each in enumerate([Tables(tmp_path), *others]):
        each.append("scores", some(f"b{n}"), f"app{n}", 0)
    assert ids(Tables(tmp_path)) == ["a", "b0", "b1"]


def test_a_table_with_a_column_of_another_type_is_refused(tmp_path: Path) -> None:
    wrong = some("a").set_column(0, "sample_id", pa.array([1], pa.int64()))
    write_deltalake(str(tmp_path / "tables" / "scores"), wrong, partition_by=["event_date"])
    with pytest.raises(StorageError, match="columns"):
        Tables(tmp_path)
