"""The local index of the `responses` table follows answers that are replaced or removed."""

from __future__ import annotations

import logging
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from streaming_eval.adapters.answer_duplicates import remove_duplicates
from streaming_eval.adapters.answer_index import AnswerIndex
from streaming_eval.adapters.answer_removal import find_rows, remove_rows
from streaming_eval.inference.cache.freshness import tie_break
from tests.adapters.indexed import (
    Open,
    expected_later,
    index_path,
    later,
    opened,
    refreshed,
    responses,
)
from tests.adapters.responses_data import Responses, expected, key, row

__all__ = ["index_path", "opened", "responses"]  # fixtures


@pytest.fixture
def filled(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The log, which tells when an index reads a whole table."""
    caplog.set_level(logging.INFO, "streaming_eval.adapters.answer_index")
    return caplog


def fillings(log: pytest.LogCaptureFixture) -> int:
    return log.text.count("filling the index")


@pytest.mark.parametrize("order", ["old first", "new first", "one commit", "rebuilt"])
def test_of_two_answers_to_one_question_the_newer_counts_in_whatever_order_they_come(
    responses: Responses, opened: Open, order: str
) -> None:
    rows = [row(1, "old"), later(1, 60, "new")]
    index = opened()
    if order == "one commit":
        responses.append_rows(rows)
    for each in rows if order == "old first" else reversed(rows):
        if order != "one commit":
            responses.append_rows([each])
        if order != "rebuilt":
            index.refresh(responses.version)
    assert refreshed(index, responses.version).get(key(1)) == expected_later(1, 60, "new")


def test_of_one_millisecond_the_same_answer_counts_in_whatever_order_they_come(
    responses: Responses, opened: Open
) -> None:
    winner = min("one", "two", key=tie_break)
    responses.append_rows([row(1, "one"), row(2, "two")])
    refreshed(opened(), responses.version)
    responses.append_rows([row(1, "two"), row(2, "one")])
    found = refreshed(opened(), responses.version).lookup([key(1), key(2)])
    assert found == {key(1): expected(1, winner), key(2): expected(2, winner)}


def test_deleted_answers_are_forgotten_and_only_the_files_that_held_them_are_read(
    responses: Responses, opened: Open, filled: pytest.LogCaptureFixture
) -> None:
    responses.append([7, 8])
    (untouched,) = responses.files()
    index = refreshed(opened(), responses.append(range(3)))
    responses.table.delete(f"cache_key = '{key(1)}'")
    untouched.unlink()
    refreshed(index, responses.version)
    assert index.lookup(map(key, range(9))) == {key(n): expected(n) for n in (0, 2, 7, 8)}
    assert fillings(filled) == 1


def test_files_that_are_gone_before_they_were_followed_make_the_index_read_the_table(
    responses: Responses, opened: Open, filled: pytest.LogCaptureFixture
) -> None:
    index = refreshed(opened(), responses.append(range(3)))
    responses.table.delete(f"cache_key = '{key(1)}'")
    responses.table.vacuum(0, dry_run=False, enforce_retention_duration=False)
    refreshed(index, responses.version)
    assert index.lookup(map(key, range(3))) == {key(0): expected(0), key(2): expected(2)}
    assert fillings(filled) == 2


def test_an_answer_that_replaced_a_deleted_one_stays(responses: Responses, opened: Open) -> None:
    responses.append_rows([row(1, "old"), row(2)])
    index = refreshed(opened(), responses.append_rows([later(1, 60, "new")]))
    responses.table.delete("created_at < '2025-06-01T12:00:30Z'")
    refreshed(index, responses.version)
    assert index.lookup([key(1), key(2)]) == {key(1): expected_later(1, 60, "new")}


def test_rows_that_another_program_changed_in_place_are_followed(
    responses: Responses, opened: Open
) -> None:
    index = refreshed(opened(), responses.append(range(3)))
    responses.table.update({"text": "'corrected'"}, predicate=f"cache_key = '{key(1)}'")
    refreshed(index, responses.version)
    assert index.lookup(map(key, range(3))) == {
        key(n): expected(n, "corrected" if n == 1 else "answer {n}") for n in range(3)
    }


def test_compaction_changes_no_answer_and_reads_no_file(
    responses: Responses, opened: Open, filled: pytest.LogCaptureFixture
) -> None:
    for n in range(5):
        version = responses.append([n])
    index = refreshed(opened(), version)
    responses.table.optimize.compact()
    for file in responses.files():
        file.unlink()
    refreshed(index, responses.version)
    assert index.lookup(map(key, range(5))) == {key(n): expected(n) for n in range(5)}
    assert fillings(filled) == 1


def test_removed_duplicates_change_no_answer_and_no_file_is_read(
    responses: Responses, opened: Open, filled: pytest.LogCaptureFixture
) -> None:
    responses.append_rows([row(1, "old"), row(2)])
    index = refreshed(opened(), responses.append_rows([later(1, 60, "new")]))
    assert remove_duplicates(Path(responses.uri)) == 1
    for file in responses.files():
        file.unlink()
    refreshed(index, responses.version)
    found = index.lookup([key(1), key(2)])
    assert found == {key(1): expected_later(1, 60, "new"), key(2): expected(2)}
    assert fillings(filled) == 1


def test_a_change_of_the_table_s_properties_costs_nothing(
    responses: Responses, opened: Open, filled: pytest.LogCaptureFixture
) -> None:
    index = refreshed(opened(), responses.append([1]))
    responses.table.alter.set_table_properties({"delta.logRetentionDuration": "interval 9 days"})
    assert refreshed(index, responses.version).get(key(1)) == expected(1)
    assert fillings(filled) == 1


@pytest.mark.parametrize("by_this_process", [True, False])
def test_what_is_remembered_is_dropped_when_another_answer_replaces_it(
    responses: Responses, opened: Open, by_this_process: bool
) -> None:
    index = refreshed(opened(), responses.append([1]))
    assert index.get(key(1)) == expected(1)
    version = responses.append_rows([later(1, 60, "new")])
    if not by_this_process:
        refreshed(opened(), version)
    assert refreshed(index, version).get(key(1)) == expected_later(1, 60, "new")


@pytest.mark.parametrize("by_this_process", [True, False])
def test_what_is_remembered_is_dropped_when_it_is_erased(
    responses: Responses, opened: Open, by_this_process: bool
) -> None:
    index = refreshed(opened(), responses.append([1, 2]))
    assert index.get(key(1)) == expected(1)
    responses.table.delete(f"cache_key = '{key(1)}'")
    if not by_this_process:
        refreshed(opened(), responses.version)
    assert refreshed(index, responses.version).get(key(1)) is None
    assert index.get(key(2)) == expected(2)


def test_what_is_remembered_outlives_answers_that_are_only_added(
    responses: Responses, index_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = AnswerIndex(index_path, responses.uri)
    refreshed(index, responses.append([1])).get(key(1))
    refreshed(index, responses.append([2]))
    monkeypatch.setattr(index._file, "get", lambda _: pytest.fail("it was remembered"))
    assert index.get(key(1)) == expected(1)
    index.close()


def test_it_counts_answers_each_key_once(responses: Responses, opened: Open) -> None:
    responses.append([1, 2])
    responses.append([2, 3])
    assert len(refreshed(opened(), responses.version)) == 3


def test_erased_text_is_nowhere_in_the_file(
    responses: Responses, index_path: Path, opened: Open
) -> None:
    index = refreshed(opened(), responses.append(range(200), "a secret, number {n}"))
    deleted = ",".join(f"'{key(n)}'" for n in range(0, 200, 2))
    responses.table.delete(f"cache_key IN ({deleted})")
    refreshed(index, responses.version)
    assert index.scrub()
    files = b"".join(file.read_bytes() for file in index_path.parent.iterdir())
    assert files.count(b"a secret, number ") == 100
    assert b"number 101" in files
    assert b"number 100" not in files


def test_a_file_in_use_is_scrubbed_later(
    responses: Responses, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streaming_eval.adapters.answer_file._SCRUB_TIMEOUT_MS", 10)
    reading, index = opened(), refreshed(opened(), responses.append([1]))
    with reading._file.reading():
        reading.get(key(1))
        refreshed(index, responses.append([2]))
        assert not index.scrub()
    assert index.scrub()


@pytest.mark.parametrize("listed", [1_000, 0])
def test_what_this_program_removes_is_forgotten_with_or_without_a_list_in_the_log(
    responses: Responses,
    opened: Open,
    filled: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    listed: int,
) -> None:
    monkeypatch.setattr("streaming_eval.adapters.answer_removal._KEYS_IN_LOG", listed)
    responses.append_rows([row(1, "old"), row(2), row(3)])
    index = refreshed(opened(), responses.append_rows([later(1, 60, "new")]))
    index.get(key(2))
    unwanted = pa.array(["old", "answer 2"])
    find = find_rows(["text"], lambda batch: pc.is_in(batch["text"], unwanted))
    assert remove_rows(Path(responses.uri), find) == 2
    refreshed(index, responses.version)
    assert [index.get(key(n)) for n in (1, 2, 3)] == [
        expected_later(1, 60, "new"),
        None,
        expected(3),
    ]
    assert fillings(filled) == 1
