from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake

from streaming_eval.adapters.delta_rewrite import FORGOTTEN, read_rewrite
from streaming_eval.errors import StorageError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two files with five rows each, versions 1 and 2."""
    root = tmp_path / "table of mine"
    for start in (0, 5):
        rows = pa.table({"n": list(range(start, start + 5)), "day": ["a b"] * 5})
        write_deltalake(root, rows, mode="append", partition_by=["day"])
    return root


def log_of(root: Path, version: int) -> Path:
    return root / "_delta_log" / f"{version:020d}.json"


def test_a_deletion_names_the_files_before_and_after(root: Path) -> None:
    before = {root / path for path in root.glob("**/*.parquet")}
    DeltaTable(root).delete("n = 7")
    rewrite = read_rewrite(root, 2)
    assert set(rewrite.removed) < before
    assert len(rewrite.removed) == len(rewrite.added) == 1
    assert all(path.is_file() for path in (*rewrite.removed, *rewrite.added))
    assert rewrite.forgotten is None


def test_a_commit_can_say_which_keys_it_left_without_an_answer(root: Path) -> None:
    rows, note = pa.table({"n": [1], "day": ["a"]}), json.dumps(["0a" * 32])
    properties = CommitProperties(custom_metadata={FORGOTTEN: note})
    write_deltalake(root, rows, mode="overwrite", commit_properties=properties)
    assert read_rewrite(root, 2).forgotten == ("0a" * 32,)


def test_a_compaction_changes_no_row(root: Path) -> None:
    DeltaTable(root).optimize.compact()
    rewrite = read_rewrite(root, 2)
    assert (rewrite.removed, rewrite.added) == ((), ())


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read: No such file"),
        ("{", "is not a Delta commit"),
        ('{"add": {"path": "a"}}', "is not a Delta commit"),
        ("7", "is not a Delta commit"),
        ('{"commitInfo": {"streaming_eval.forgotten_keys": "{"}}', "is not a Delta commit"),
        ('{"commitInfo": {"streaming_eval.forgotten_keys": "[7]"}}', "is not a Delta commit"),
        ('{"commitInfo": {"streaming_eval.forgotten_keys": "[\\"no key\\"]"}}', "is not a Delta"),
        (
            '{"add": {"path": "a", "dataChange": true, "deletionVector": {"cardinality": 1}}}',
            "deletion vectors are not supported",
        ),
    ],
)
def test_a_commit_that_cannot_be_followed_is_an_error(
    root: Path, content: str | None, problem: str
) -> None:
    log_of(root, 1).unlink()
    if content is not None:
        log_of(root, 1).write_text(content + "\n")
    with pytest.raises(StorageError, match=problem):
        read_rewrite(root, 1)
