from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from streaming_eval.adapters.checkpoint import agree, heal, lease, query_id
from streaming_eval.errors import StorageError

TORN = "offsets/.0.6c1b0f6e-96ff-4a6b-93a5-4f5a1f6e6a11.tmp"
TORN_SUM = "offsets/..0.6c1b0f6e-96ff-4a6b-93a5-4f5a1f6e6a11.tmp.crc"
HOLD = """
import sys, time
from pathlib import Path
from streaming_eval.adapters.checkpoint import lease
with lease(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def put(checkpoint: Path, *names: str) -> None:
    for name in names:
        path = checkpoint / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def files(checkpoint: Path) -> set[str]:
    return {str(p.relative_to(checkpoint)) for p in checkpoint.rglob("*") if p.is_file()}


def test_what_a_kill_in_the_first_write_left_is_removed(tmp_path: Path) -> None:
    put(tmp_path, "metadata", TORN, TORN_SUM)
    assert {str(p.relative_to(tmp_path)) for p in heal(tmp_path)} == {TORN, TORN_SUM}
    assert files(tmp_path) == {"metadata"}


def test_a_torn_source_log_is_removed_too(tmp_path: Path) -> None:
    torn = "sources/0/.0.1d0e.tmp"
    put(tmp_path, "metadata", torn)
    assert heal(tmp_path) == [tmp_path / torn]


def test_whole_files_and_their_checksums_are_kept(tmp_path: Path) -> None:
    whole = {"metadata", ".metadata.crc", "sources/0/0", "sources/0/.0.crc"}
    put(tmp_path, *whole, TORN)
    assert heal(tmp_path) == [tmp_path / TORN]
    assert files(tmp_path) == whole


def test_files_that_are_not_spark_s_are_kept(tmp_path: Path) -> None:
    foreign = {"notes.txt", "offsets/backup", "offsets/.keep", "state/a.tmp", "offsets/x.crc"}
    put(tmp_path, *foreign)
    assert heal(tmp_path) == []
    assert files(tmp_path) == foreign


@pytest.mark.parametrize("logged", ["offsets/0", "commits/0", "offsets/17"])
def test_nothing_is_touched_once_a_batch_was_logged(tmp_path: Path, logged: str) -> None:
    everything = {"metadata", logged, TORN, "offsets/.18.abc.tmp", "state/0/0/.1.delta.abc.tmp"}
    put(tmp_path, *everything)
    assert heal(tmp_path) == []
    assert files(tmp_path) == everything


def test_a_job_that_never_ran_has_nothing_to_heal(tmp_path: Path) -> None:
    assert heal(tmp_path / "nowhere") == []
    assert not (tmp_path / "nowhere").exists()
    assert heal(tmp_path) == []


def test_healing_twice_is_healing_once(tmp_path: Path) -> None:
    put(tmp_path, TORN)
    assert heal(tmp_path)
    assert heal(tmp_path) == []


def test_the_query_s_id_is_read_from_its_metadata(tmp_path: Path) -> None:
    (tmp_path / "metadata").write_text('{"id":"8f7c"}')
    assert query_id(tmp_path) == "8f7c"


@pytest.mark.parametrize("content", [None, "", "{}", "[]", '"id"', "null", '{"id":', b"\xff"])
def test_a_checkpoint_without_a_readable_id_says_what_to_do(
    tmp_path: Path, content: str | bytes | None
) -> None:
    if isinstance(content, bytes):
        (tmp_path / "metadata").write_bytes(content)
    elif content is not None:
        (tmp_path / "metadata").write_text(content)
    with pytest.raises(StorageError, match="restore it from a copy"):
        query_id(tmp_path)


def test_state_goes_on_only_under_the_settings_that_it_was_built_with(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoints" / "monitor"
    agree(checkpoint, {"pane": "1m", "window": "1h"})
    checkpoint.mkdir()
    agree(checkpoint, {"window": "1h", "pane": "1m"})
    with pytest.raises(StorageError, match="pane was 1m, is 5m; set them back") as caught:
        agree(checkpoint, {"pane": "5m", "window": "1h"})
    assert "window" not in str(caught.value)
    agree(checkpoint, {"pane": "1m", "window": "1h"})


def test_a_checkpoint_that_was_moved_away_may_begin_anew_under_other_settings(
    tmp_path: Path,
) -> None:
    checkpoint = tmp_path / "monitor"
    checkpoint.mkdir()
    agree(checkpoint, {"pane": "1m"})
    checkpoint.rename(tmp_path / "old")
    agree(checkpoint, {"pane": "5m"})
    checkpoint.mkdir()
    with pytest.raises(StorageError, match="was 5m, is 1m"):
        agree(checkpoint, {"pane": "1m"})


def test_one_job_at_a_time_holds_a_root(tmp_path: Path) -> None:
    root = tmp_path / "new" / "root"
    with lease(root):
        with pytest.raises(StorageError, match="in use"), lease(root):
            pytest.fail("two held it")
        with lease(tmp_path / "other"):
            pass
    with lease(root):
        pass


def test_a_root_is_refused_while_another_process_holds_it_and_free_after_its_death(
    tmp_path: Path,
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True
    ) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            with pytest.raises(StorageError, match=f"process {holder.pid}\\)"), lease(tmp_path):
                pytest.fail("two held it")
        finally:
            holder.kill()
        holder.wait()
        with lease(tmp_path):
            pass


def test_an_error_inside_frees_the_root(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), lease(tmp_path):
        raise RuntimeError
    with lease(tmp_path):
        pass
