"""The local index of the `responses` table: nothing can break it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from streaming_eval.adapters.answer_index import AnswerIndex
from streaming_eval.errors import StorageError
from tests.adapters.indexed import Open, index_path, opened, refreshed, responses
from tests.adapters.responses_data import Responses, expected, key

__all__ = ["index_path", "opened", "responses"]  # fixtures


@pytest.mark.parametrize("damage", ["missing", "no Parquet"])
def test_a_data_file_that_cannot_be_read_is_an_error_and_leaves_the_index_as_it_was(
    responses: Responses, opened: Open, damage: str
) -> None:
    index = refreshed(opened(), responses.append([1]))
    version = responses.append([2])
    (file,) = [
        file
        for file in responses.files()
        if file.stat().st_mtime_ns == max(each.stat().st_mtime_ns for each in responses.files())
    ]
    content = file.read_bytes()
    file.unlink() if damage == "missing" else file.write_bytes(b"junk")
    with pytest.raises(StorageError, match=file.name):
        index.refresh(version)
    assert index.lookup([key(1), key(2)]) == {key(1): expected(1)}
    file.write_bytes(content)
    assert refreshed(index, version).get(key(2)) == expected(2)


def _junk(file: Path) -> None:
    file.write_bytes(b"junk" * 5_000)


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _half(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _blank_pages(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[4096:] = bytes(len(data) - 4096)
    file.write_bytes(data)


def _other_version(file: Path) -> None:
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA user_version = 77")
    db.close()


def _foreign_tables(file: Path) -> None:
    file.unlink()
    with sqlite3.connect(file) as db:
        db.execute("CREATE TABLE answers (a, b)")
        db.execute("PRAGMA user_version = 1")
    db.close()


DAMAGES = [_junk, _empty, _half, _blank_pages, _other_version, _foreign_tables]


def _data_file(index_path: Path) -> Path:
    return index_path.with_name(f"{index_path.name}.0")


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_index_is_made_anew(
    responses: Responses, opened: Open, index_path: Path, damage: Callable[[Path], None]
) -> None:
    version = responses.append(range(500))
    refreshed(opened(), version).close()
    damage(_data_file(index_path))
    found = refreshed(opened(), version).lookup(map(key, range(500)))
    assert found == {key(n): expected(n) for n in range(500)}
    responses.append([1_000])
    assert refreshed(opened(), responses.version).get(key(1_000)) == expected(1_000)


@pytest.mark.parametrize("damage", [_junk, _empty, _half, _blank_pages])
def test_an_index_damaged_while_in_use_is_made_anew(
    responses: Responses, opened: Open, index_path: Path, damage: Callable[[Path], None]
) -> None:
    version = responses.append(range(500))
    refreshed(opened(), version).close()
    first, second = refreshed(opened(), version), refreshed(opened(), version)
    damage(_data_file(index_path))
    for index in (first, second, first):
        found = index.lookup(map(key, range(500)))
        assert found == {key(n): expected(n) for n in range(500)}
    assert refreshed(second, responses.append([1_000])).get(key(1_000)) == expected(1_000)


def test_a_place_that_cannot_hold_an_index_is_an_error(
    responses: Responses, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="answer index"):
        AnswerIndex(tmp_path / "file" / "answers", responses.uri)


def _refresh_and_look_up(index_path: Path, uri: str, version: int, n: int) -> int:
    index = AnswerIndex(index_path, uri)
    for step in range(1, version + 1):
        index.refresh(step)
    found = index.lookup(key(each) for each in range(n))
    index.close()
    return len(found)


def test_processes_that_come_at_once_all_see_everything(
    responses: Responses, index_path: Path
) -> None:
    for start in range(0, 400, 20):
        version = responses.append(range(start, start + 20))
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        jobs = [
            pool.submit(_refresh_and_look_up, index_path, responses.uri, version, 500)
            for _ in range(3)
        ]
        assert [job.result() for job in jobs] == [400] * 3
