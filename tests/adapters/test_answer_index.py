"""The local index of the `responses` table: what it finds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from streaming_eval.adapters.answer_index import AnswerIndex
from streaming_eval.errors import StorageError
from tests.adapters.indexed import Open, index_path, opened, refreshed, responses
from tests.adapters.responses_data import Responses, expected, key, row

__all__ = ["index_path", "opened", "responses"]  # fixtures


def test_a_stored_answer_is_found_whole(responses: Responses, opened: Open) -> None:
    index = refreshed(opened(), responses.append(range(3)))
    assert [index.get(key(n)) for n in range(4)] == [expected(0), expected(1), expected(2), None]


def test_many_keys_are_looked_up_at_once(responses: Responses, opened: Open) -> None:
    index = refreshed(opened(), responses.append(range(0, 2_000, 2)))
    found = index.lookup(key(n) for n in range(2_000))
    assert found == {key(n): expected(n) for n in range(0, 2_000, 2)}
    assert index.lookup([]) == {}


def test_look_ups_in_a_row_find_what_single_ones_find(responses: Responses, opened: Open) -> None:
    index, other = refreshed(opened(), responses.append(range(3))), opened()
    with index.reading():
        found = [index.get(key(n)) for n in range(4)]
        refreshed(other, responses.append([3]))  # a second process is not in the way
    assert found == [expected(0), expected(1), expected(2), None]
    refreshed(index, responses.append([4]))
    assert [index.get(key(n)) for n in (3, 4)] == [expected(3), expected(4)]


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
