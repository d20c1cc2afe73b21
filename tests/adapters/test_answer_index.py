"""The local index of the `responses` table: what it finds, and that nothing can break it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from streaming_eval.adapters.answer_index import AnswerIndex
from streaming_eval.errors import StorageError
from tests.adapters.responses_data import Responses, expected, key, row

Open = Callable[[], AnswerIndex]


@pytest.fixture
def responses(tmp_path: Path) -> Responses:
    return Responses(tmp_path / "tables with blanks" / "responses")


@pytest.fixture
def index_path(tmp_path: Path) -> Path:
    return tmp_path / "host" / "answers"


@pytest.fixture
def opened(responses: Responses, index_path: Path) -> Iterator[Open]:
    indexes: list[AnswerIndex] = []

    def fresh() -> AnswerIndex:
        indexes.append(AnswerIndex(index_path, responses.uri))
        return indexes[-1]

    yield fresh
    for index in indexes:
        index.close()


def refreshed(index: AnswerIndex, version: int) -> AnswerIndex:
    index.refresh(version)
    return index


def test_a_stored_answer_is_found_whole(responses: Responses, opened: Open) -> None:
    index = refreshed(opened(), responses.append(range(3)))
    assert [index.get(key(n)) for n in range(4)] == [expected(0), expected(1), expected(2), None]


def test_many_keys_are_looked_up_at_once(responses: Responses, opened: Open) -> None:
    index = refreshed(opened(), responses.append(range(0, 2_000, 2)))
    found = index.lookup(key(n) for n in range(2_000))
    assert found == {key(n): expected(n) for n in range(0, 2_000, 2)}
    assert index.lookup([]) == {}


def test_an_empty_table_knows_nothing(responses: Responses, opened: Open) -> None:
    assert refreshed(opened(), responses.version).get(key(1)) is None


def test_what_was_announced_is_visible_and_what_was_not_may_be(
    responses: Responses, opened: Open
) -> None:
    index = refreshed(opened(), responses.append([1]))
    version = responses.append([2])
    assert index.get(key(2)) is None
    assert refreshed(index, version).get(key(2)) == expected(2)


def test_a_data_file_is_read_once(responses: Responses, opened: Open) -> None:
    index = refreshed(opened(), responses.append([1]))
    (file,) = responses.files()
    file.unlink()
    refreshed(index, responses.append([2]))
    assert index.lookup([key(1), key(2)]) == {key(1): expected(1), key(2): expected(2)}


def test_a_second_process_finds_the_work_done(responses: Responses, opened: Open) -> None:
    first, second = opened(), refreshed(opened(), responses.append([1]))
    version = responses.append([2])
    refreshed(first, version)
    for file in responses.files():
        file.unlink()
    assert refreshed(second, version).get(key(2)) == expected(2)
    assert refreshed(opened(), version).get(key(2)) == expected(2)


def test_of_equal_keys_the_first_commit_wins(responses: Responses, opened: Open) -> None:
    responses.append([1], "first")
    version = responses.append([1], "second")
    index = refreshed(opened(), version)
    assert index.get(key(1)) == expected(1, "first")
    responses.append_rows([row(2, "one"), row(2, "two"), row(1, "third")])
    refreshed(index, responses.version)
    assert index.get(key(1)) == expected(1, "first")
    assert index.get(key(2)) == expected(2, "one")


@pytest.mark.parametrize(
    "fault",
    [{"cache_key": key(8)}, {"request": row(8)["request"]}, {"request": None}, {"text": None}],
    ids=["key of another", "request of another", "no request", "no text"],
)
def test_a_row_that_is_not_the_answer_to_its_key_is_left_out(
    responses: Responses,
    opened: Open,
    fault: dict[str, object],
    caplog: pytest.LogCaptureFixture,
) -> None:
    index = refreshed(opened(), responses.append_rows([row(7) | fault, row(9)]))
    found = index.lookup([key(7), key(8), key(9)])
    assert found == {key(9): expected(9)}
    assert "1 rows left out" in caplog.text


def test_deleted_answers_are_forgotten(responses: Responses, opened: Open) -> None:
    index = refreshed(opened(), responses.append(range(3)))
    responses.table.delete(f"cache_key = '{key(1)}'")
    refreshed(index, responses.version)
    assert index.lookup(map(key, range(3))) == {key(0): expected(0), key(2): expected(2)}


def test_compaction_changes_no_answer(responses: Responses, opened: Open) -> None:
    for n in range(5):
        version = responses.append([n])
    index = refreshed(opened(), version)
    responses.table.optimize.compact()
    refreshed(index, responses.version)
    assert index.lookup(map(key, range(5))) == {key(n): expected(n) for n in range(5)}


def test_a_table_made_anew_starts_an_empty_index(responses: Responses, opened: Open) -> None:
    old = refreshed(opened(), responses.append([1], "old"))
    shutil.rmtree(responses.uri)
    anew = Responses(Path(responses.uri))
    anew.append([2])
    index = refreshed(opened(), anew.append([3]))
    assert index.lookup(map(key, range(4))) == {key(2): expected(2), key(3): expected(3)}
    assert old.get(key(1)) is None


@pytest.mark.parametrize("path", ["nothing there", "."])
def test_what_is_no_table_is_an_error(index_path: Path, tmp_path: Path, path: str) -> None:
    index = AnswerIndex(index_path, str(tmp_path / path))
    with pytest.raises(StorageError, match="not a readable Delta table"):
        index.refresh(0)
    index.close()


def test_a_version_that_does_not_exist_is_an_error(responses: Responses, opened: Open) -> None:
    with pytest.raises(StorageError, match="version 7 was announced"):
        opened().refresh(7)


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
