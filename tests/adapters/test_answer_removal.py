"""Rows are removed for good and nothing else is, whoever writes at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable

from streaming_eval.adapters import answer_removal
from streaming_eval.adapters.answer_removal import Find, Numbers, find_rows, remove_rows
from streaming_eval.adapters.cache_lease import writing
from streaming_eval.adapters.delta_rewrite import read_rewrite
from streaming_eval.adapters.schemas import RESPONSES
from streaming_eval.errors import StorageError
from tests.adapters.indexed import later, responses
from tests.adapters.responses_data import Responses, key, row

__all__ = ["responses"]  # a fixture


def under(*numbers: int) -> Find:
    """Finds the answers to these questions."""
    keys = pa.array([key(n) for n in numbers], pa.string())
    return find_rows(["cache_key"], lambda batch: pc.is_in(batch["cache_key"], keys))


def texts(responses: Responses) -> list[str]:
    return sorted(responses.table.to_pyarrow_table(columns=["text"])["text"].to_pylist())


def removed(responses: Responses, find: Find, **options: object) -> int:
    return remove_rows(Path(responses.uri), find, sleep=lambda _: None, **options)  # type: ignore[arg-type]


def after_finding(find: Find, *actions: Callable[[], object]) -> Find:
    """Another program acts after rows were found and before they are removed, once per action."""
    waiting = list(actions)

    def interrupted(files: Sequence[Path]) -> Numbers:
        found = find(files)
        if waiting:
            waiting.pop(0)()
        return found

    return interrupted


def test_what_is_found_goes_and_the_rest_stays_as_it_was(
    responses: Responses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_removal, "_ROWS_AT_ONCE", 3)
    for start in range(0, 30, 10):
        responses.append(range(start, start + 10))
    assert removed(responses, under(3, 10, 19, 29, 99)) == 4
    rows = responses.table.to_pyarrow_table().to_pylist()
    kept = [row(n) for n in range(30) if n not in (3, 10, 19, 29)]
    assert sorted(rows, key=lambda r: str(r["cache_key"])) == sorted(
        kept, key=lambda r: str(r["cache_key"])
    )


def test_where_nothing_is_found_nothing_is_written(responses: Responses) -> None:
    version = responses.append([1])
    assert removed(responses, under(2)) == 0
    assert responses.version == version


def test_the_last_row_can_go_and_others_come_again(responses: Responses) -> None:
    responses.append([1])
    assert removed(responses, under(1)) == 1
    assert texts(responses) == []
    responses.append([2])
    assert texts(responses) == ["answer 2"]


def test_texts_stay_plain_strings_whatever_wrote_them(responses: Responses) -> None:
    responses.append(range(5))
    responses.table.delete(f"cache_key = '{key(4)}'")  # writes string views
    removed(responses, under(3))
    table = responses.table.to_pyarrow_dataset()
    assert table.to_table(filter=pc.field("cache_key").isin([key(1)])).num_rows == 1
    assert table.to_table().schema.equals(RESPONSES)


def test_the_commit_lists_the_keys_that_have_no_answer_left(
    responses: Responses, monkeypatch: pytest.MonkeyPatch
) -> None:
    responses.append_rows([row(1, "old"), later(1, 60, "new"), row(2), row(3)])
    odd = find_rows(["text"], lambda batch: pc.is_in(batch["text"], pa.array(["old", "answer 2"])))
    removed(responses, odd)
    assert read_rewrite(Path(responses.uri), responses.version).forgotten == (key(2),)
    removed(responses, under(3), superseded=True)
    assert read_rewrite(Path(responses.uri), responses.version).forgotten == ()
    monkeypatch.setattr(answer_removal, "_KEYS_IN_LOG", 0)
    removed(responses, under(1))
    assert read_rewrite(Path(responses.uri), responses.version).forgotten is None


def test_an_append_of_another_program_in_between_is_kept(responses: Responses) -> None:
    responses.append([1, 2])
    assert removed(responses, after_finding(under(1), lambda: responses.append([3]))) == 1
    assert texts(responses) == ["answer 2", "answer 3"]


def test_an_append_in_between_that_is_to_go_goes_too(responses: Responses) -> None:
    responses.append([1, 2])
    assert removed(responses, after_finding(under(1), lambda: responses.append([1]))) == 2
    assert texts(responses) == ["answer 2"]


def test_what_another_program_deletes_in_between_does_not_come_back(responses: Responses) -> None:
    responses.append([1, 2, 3])
    deletion = f"cache_key = '{key(2)}'"
    find = after_finding(under(1), lambda: responses.table.delete(deletion))
    assert removed(responses, find) == 1
    assert texts(responses) == ["answer 3"]


def test_a_compaction_in_between_brings_nothing_back_and_loses_nothing(
    responses: Responses,
) -> None:
    responses.append([1])
    responses.append([2])
    find = after_finding(under(1), lambda: responses.table.optimize.compact())
    assert removed(responses, find) == 2
    assert set(texts(responses)) == {"answer 2"}


def test_a_program_that_never_stops_rewriting_is_named_as_the_reason(
    responses: Responses,
) -> None:
    responses.append([1])

    def rewrite() -> None:
        DeltaTable(responses.uri).update({"text": "'other'"})

    slept_s: list[float] = []
    with pytest.raises(StorageError, match="other programs keep rewriting"):
        remove_rows(
            Path(responses.uri), after_finding(under(1), *[rewrite] * 8), sleep=slept_s.append
        )
    assert slept_s[:3] == [0.1, 0.2, 0.4]
    assert texts(responses) == ["other"]


def test_jobs_wait_with_their_commits_meanwhile(responses: Responses) -> None:
    responses.append([1])
    found, appending = threading.Event(), threading.Event()

    def slow(files: Sequence[Path]) -> Numbers:
        numbers = under(1)(files)
        found.set()
        assert not appending.wait(0.05)
        return numbers

    def append() -> None:
        found.wait()
        with writing(Path(responses.uri)):
            appending.set()
            responses.append([2])

    with ThreadPoolExecutor(1) as pool:
        appended = pool.submit(append)
        first = iter([slow])
        removed(responses, lambda files: next(first, under(1))(files))
        appended.result()
    assert texts(responses) == ["answer 2"]
