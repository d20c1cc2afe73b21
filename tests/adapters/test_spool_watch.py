"""Answers are found in any spool as soon as they are whole, and read only when they are wanted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from streaming_eval.adapters.spool import SpoolWriter
from streaming_eval.adapters.spool_watch import SpoolWatch
from streaming_eval.adapters.task_spool import TaskSpool
from tests.adapters.paid import paid

A, B = paid("a"), paid("b")


def test_each_look_finds_what_has_come(tmp_path: Path) -> None:
    watch = SpoolWatch()
    watch.look([tmp_path, tmp_path / "not there"])
    assert watch.get(A.cache_key) is None
    with SpoolWriter(tmp_path / "batch-1" / "1.spool") as writer:
        writer.append(A)
        watch.look([tmp_path])
        assert (watch.get(A.cache_key), watch.get(B.cache_key)) == (A.response, None)
        writer.append(B)
        watch.look([tmp_path])
        assert watch.get(B.cache_key) == B.response
    watch.close()


def test_answers_that_come_after_their_batch_are_found_too(tmp_path: Path) -> None:
    watch, spool = SpoolWatch(), TaskSpool(tmp_path / "batch-1")
    spool.close()
    spool.append(A)
    watch.look([tmp_path])
    assert watch.get(A.cache_key) == A.response
    watch.close()


def test_a_file_that_is_removed_is_readable_until_the_next_look(tmp_path: Path) -> None:
    watch, path = SpoolWatch(), tmp_path / "batch-1" / "1.spool"
    with SpoolWriter(path) as writer:
        writer.append(A)
    watch.look([tmp_path])
    path.unlink()
    assert watch.get(A.cache_key) == A.response
    watch.look([tmp_path])
    assert watch.get(A.cache_key) is None


def test_no_file_stays_open_that_is_gone(tmp_path: Path) -> None:
    before = _open_files()
    watch = SpoolWatch()
    for n in range(50):
        path = tmp_path / f"batch-{n}" / "1.spool"
        with SpoolWriter(path) as writer:
            writer.append(A)
        watch.look([tmp_path])
        path.unlink()
    watch.look([tmp_path])
    assert _open_files() == before


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_of_two_answers_the_newer_one_counts(tmp_path: Path) -> None:
    newer = replace(A, response=replace(A.response, text="newer", created_ms=2_000_000_000_000))
    for name, answer in (("1", newer), ("2", A)):
        with SpoolWriter(tmp_path / name / "1.spool") as writer:
            writer.append(answer)
    watch = SpoolWatch()
    watch.look([tmp_path])
    assert watch.get(A.cache_key) == newer.response
    watch.close()


def test_a_damaged_answer_is_none(tmp_path: Path) -> None:
    path = tmp_path / "1" / "1.spool"
    with SpoolWriter(path) as writer:
        writer.append(A)
        writer.append(B)
    path.write_bytes(b"rubbish" + path.read_bytes().replace(b"answer to a", b"answer to x"))
    watch = SpoolWatch()
    watch.look([tmp_path])
    assert (watch.get(A.cache_key), watch.get(B.cache_key)) == (None, B.response)
    watch.close()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 1_000), max_size=8))
def test_wherever_a_look_cuts_a_line_nothing_is_lost(cuts: list[int]) -> None:
    with TemporaryDirectory() as name:
        path = Path(name) / "1" / "1.spool"
        with SpoolWriter(path) as writer:
            writer.append(A)
            writer.append(B)
        whole = path.read_bytes()
        path.unlink()
        watch, written = SpoolWatch(), 0
        for cut in [*sorted(cuts), len(whole)]:
            with path.open("ab") as file:
                written += file.write(whole[written:cut])
            watch.look([Path(name)])
        assert [watch.get(x.cache_key) for x in (A, B)] == [A.response, B.response]
        watch.close()
