"""Answers that newer ones have replaced leave the table, and nothing else does."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from streaming_eval.adapters import answer_removal
from streaming_eval.adapters.answer_duplicates import key_count, remove_duplicates, row_count
from streaming_eval.inference.cache.freshness import tie_break
from tests.adapters.indexed import later, responses
from tests.adapters.responses_data import CREATED, Responses, key, row

__all__ = ["responses"]  # a fixture


def texts(responses: Responses) -> list[str]:
    return sorted(responses.table.to_pyarrow_table(columns=["text"])["text"].to_pylist())


def removed(responses: Responses, before_ms: int | None = None) -> int:
    return remove_duplicates(Path(responses.uri), before_ms)


def test_of_each_key_the_answer_that_counts_stays_and_it_stays_whole(
    responses: Responses,
) -> None:
    responses.append_rows([row(1, "old"), row(2), later(3, 5, "newer")])
    responses.append_rows([later(1, 60, "new"), row(3, "older")])
    responses.append_rows([later(1, 30, "between"), row(4)])
    assert removed(responses) == 3
    rows = responses.table.to_pyarrow_table().to_pylist()
    kept = [later(1, 60, "new"), row(2), later(3, 5, "newer"), row(4)]
    assert sorted(rows, key=lambda r: r["cache_key"]) == sorted(
        kept, key=lambda r: str(r["cache_key"])
    )


def test_exact_copies_leave_one_row(responses: Responses) -> None:
    for _ in range(3):
        responses.append([1, 2])
    assert removed(responses) == 4
    assert texts(responses) == ["answer 1", "answer 2"]


def test_of_one_millisecond_the_row_stays_that_an_index_would_choose(responses: Responses) -> None:
    us = timedelta(microseconds=1)
    responses.append_rows([row(1, "one"), row(1, "two") | {"created_at": CREATED + us}])
    assert removed(responses) == 1
    assert texts(responses) == [min("one", "two", key=tie_break)]


def test_a_row_that_is_no_answer_to_its_key_never_counts(responses: Responses) -> None:
    wrong = later(2, 60, "not asked for") | {"cache_key": key(1)}
    responses.append_rows([row(1), wrong, later(1, 90) | {"text": None}])
    assert removed(responses) == 2
    assert texts(responses) == ["answer 1"]


def test_keys_of_other_programs_do_no_harm(responses: Responses) -> None:
    odd = [row(n) | {"cache_key": name} for n, name in enumerate(["", "ø", "ø", None])]
    responses.append_rows([*odd, row(9)])
    assert key_count(Path(responses.uri), responses.version) == 3
    assert removed(responses) == 2
    assert row_count(Path(responses.uri)) == 3


def test_a_table_without_duplicates_is_not_touched(responses: Responses) -> None:
    assert removed(responses) == 0
    version = responses.append(range(5))
    assert removed(responses) == 0
    assert responses.version == version


def test_only_answers_of_before_the_instant_are_removed(responses: Responses) -> None:
    responses.append_rows([row(1, "first"), later(1, 60, "second"), later(1, 90, "third")])
    created_ms = int(CREATED.timestamp() * 1_000)
    assert removed(responses, created_ms) == 0
    assert removed(responses, created_ms + 1) == 1
    assert texts(responses) == ["second", "third"]
    assert removed(responses, created_ms + 10**6) == 1
    assert texts(responses) == ["third"]


def test_rows_and_keys_are_counted(responses: Responses) -> None:
    responses.append(range(10))
    responses.append(range(5, 15))
    table = Path(responses.uri)
    assert (row_count(table), key_count(table, responses.version)) == (20, 15)
    assert key_count(table, 1) == 10


def test_many_files_and_batches_lose_the_right_rows(
    responses: Responses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_removal, "_ROWS_AT_ONCE", 7)
    for step in range(4):
        responses.append_rows([later(n, step, f"{n} at {step}") for n in range(step, 40)])
    assert removed(responses) == 39 + 38 + 37
    assert texts(responses) == sorted(f"{n} at {min(n, 3)}" for n in range(40))
