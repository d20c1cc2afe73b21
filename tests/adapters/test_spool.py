"""Answers written ahead: whatever happens to the file, its whole lines are read back."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streaming_eval.adapters.spool import (
    SpoolWriter,
    list_files,
    read_file,
    read_spool,
)
from streaming_eval.errors import StorageError
from streaming_eval.inference.cache.cache_key import cache_key, canonical
from streaming_eval.inference.cache.paid_answer import PaidAnswer
from tests.inference.calls.scripted import ManualTime, answer
from tests.inference.requests import request


def paid(n: int) -> PaidAnswer:
    asked = request(f"question {n}\nsecond line")
    return PaidAnswer(cache_key(asked), canonical(asked).decode(), answer(f"answer {n}\r\n🤔"))


TEN = [paid(n) for n in range(10)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "spool" / "task-1.spool"
    with SpoolWriter(path) as writer:
        for each in TEN:
            writer.append(each)
    return path


def test_what_was_appended_is_read_back_in_order(file: Path) -> None:
    assert list(read_spool(file.parent)) == TEN
    assert read_file(file).damaged == 0


def test_several_files_are_read_by_name_and_keys_may_repeat(file: Path) -> None:
    with SpoolWriter(file.with_name("task-0.spool")) as writer:
        writer.append(TEN[3])
    (file.parent / "notes.txt").write_text("no spool")
    assert [path.name for path in list_files(file.parent)] == ["task-0.spool", "task-1.spool"]
    assert list(read_spool(file.parent)) == [TEN[3], *TEN]


def test_no_directory_holds_nothing(tmp_path: Path) -> None:
    assert list(read_spool(tmp_path / "none")) == []


def test_an_answer_is_in_the_file_as_soon_as_it_is_appended(tmp_path: Path) -> None:
    with SpoolWriter(tmp_path / "a.spool") as writer:
        for n, each in enumerate(TEN):
            writer.append(each)
            assert len(read_file(tmp_path / "a.spool").answers) == n + 1


def test_a_file_cut_off_anywhere_loses_the_torn_line_only(file: Path) -> None:
    data = file.read_bytes()
    line_bytes = len(data) // len(TEN)
    for size in range(len(data) - 2 * line_bytes, len(data), 7):
        file.write_bytes(data[:size])
        contents = read_file(file)
        assert list(contents.answers) == TEN[: len(contents.answers)]
        assert 8 <= len(contents.answers) <= 10
        assert contents.damaged <= 1


def test_a_writer_that_goes_on_after_a_torn_line_loses_nothing_more(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20])
    with SpoolWriter(file) as writer:
        writer.append(paid(99))
    contents = read_file(file)
    assert (list(contents.answers), contents.damaged) == ([*TEN[:9], paid(99)], 1)


def test_a_flipped_bit_anywhere_damages_its_line_only(file: Path) -> None:
    data = file.read_bytes()
    for position in range(0, len(data), 29):
        flipped = bytearray(data)
        flipped[position] ^= 0x04
        file.write_bytes(flipped)
        answers = read_file(file).answers
        assert len(answers) >= 9
        assert all(each in TEN for each in answers)


@pytest.mark.parametrize(
    "line",
    [b"", b"\n\n\n", b"\x00" * 50, b"00000000 {}", b"00000000 ", b"no checksum", b"\xff\xfe"],
)
def test_foreign_lines_are_skipped(file: Path, line: bytes) -> None:
    file.write_bytes(line + b"\n" + file.read_bytes() + line)
    assert list(read_file(file).answers) == TEN


def test_damage_is_counted_and_reported(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    file.write_bytes(b"junk\n" + file.read_bytes() + b"torn")
    assert read_file(file).damaged == 2
    assert "2 damaged lines skipped" in caplog.text


def test_the_disk_is_told_at_most_each_second_and_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed_at_s: list[float] = []
    passing = ManualTime()
    monkeypatch.setattr(os, "fdatasync", lambda _: flushed_at_s.append(passing.now_s))
    writer = SpoolWriter(tmp_path / "a.spool", clock=passing.clock)
    for n in range(25):
        passing.now_s = 1_000 + n / 10
        writer.append(paid(n))
    writer.close()
    writer.close()
    assert flushed_at_s == [1_001.0, 1_002.0, 1_002.4]


def test_a_killed_writer_leaves_every_answer_it_had_appended(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path;"
        "from streaming_eval.adapters.spool import SpoolWriter;"
        "from tests.adapters.test_spool import TEN;"
        "writer = SpoolWriter(Path(sys.argv[1]));"
        "[writer.append(each) for each in TEN];"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    path = tmp_path / "a.spool"
    killed = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert list(read_file(path).answers) == TEN


@contextmanager
def _files_of_at_most(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def test_a_disk_that_takes_no_more_is_reported_and_the_rest_stays_readable(file: Path) -> None:
    with SpoolWriter(file) as writer, _files_of_at_most(file.stat().st_size + 100):
        with pytest.raises(StorageError, match="the disk took 100 bytes only"):
            writer.append(paid(98))
        with pytest.raises(StorageError, match="File too large"):
            writer.append(paid(99))
    contents = read_file(file)
    assert (list(contents.answers), contents.damaged) == (TEN, 1)
