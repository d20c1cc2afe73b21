"""Paid answers as rows: the same from objects and from the spool's lines, each key once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.adapters.answer_table import newest_rows, responses_table, spooled_table
from streaming_eval.adapters.schemas import RESPONSES
from streaming_eval.adapters.spool import SpoolWriter, read_documents
from streaming_eval.inference.cache.freshness import newest_of_each_key
from streaming_eval.inference.cache.paid_answer import PaidAnswer
from streaming_eval.records import Usage
from tests.adapters.paid import paid


def come(question: int, text: str, at_ms: int) -> PaidAnswer:
    """An answer to one of some questions, at some instant."""
    answer = paid(f"{question}", text)
    return replace(answer, response=replace(answer.response, created_ms=at_ms))


_ANSWERS = st.builds(come, st.integers(0, 3), st.sampled_from("abc"), st.integers(0, 3))


def test_no_answers_are_an_empty_table_with_all_columns() -> None:
    assert responses_table([]).equals(RESPONSES.empty_table())
    assert newest_rows(RESPONSES.empty_table()).equals(RESPONSES.empty_table())


def test_the_lines_of_a_spool_give_the_rows_of_their_answers(tmp_path: Path) -> None:
    unknown = replace(paid("2").response, finish_reason=None, usage=Usage(), latency_ms=None)
    answers = [paid("1", "a\n🤔"), replace(paid("2"), response=unknown)]
    with SpoolWriter(tmp_path / "a.spool") as writer:
        for answer in answers:
            writer.append(answer)
    rows = spooled_table(read_documents(tmp_path / "a.spool"), "eval")
    assert rows.equals(responses_table(answers, "eval"))
    assert rows["text"].to_pylist() == ["a\n🤔", "answer to 2"]
    assert [rows[name][1].as_py() for name in ("finish_reason", "input_tokens")] == [None, None]


@given(st.lists(_ANSWERS, max_size=8))
def test_the_row_that_counts_is_that_of_the_answer_that_counts(answers: list[PaidAnswer]) -> None:
    expected = responses_table(newest_of_each_key(answers).values())
    assert newest_rows(responses_table(answers)).equals(expected)
