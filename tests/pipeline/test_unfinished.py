"""Which samples lack an answer that may still come, and how the driver is told."""

from __future__ import annotations

import pyarrow as pa
import pytest

from streaming_eval.inference.evaluate import SampleScore
from streaming_eval.inference.requeue import Failure, Pending, place
from streaming_eval.pipeline.score_rows import Evaluated
from streaming_eval.pipeline.unfinished import (
    OWN_RATE,
    RECORD_COLUMNS,
    UNFINISHED,
    by_place,
    failures,
    retries_table,
    unfinished_table,
)
from streaming_eval.records import KafkaRecord, Message, Sample, Score, ScoreStatus

RECORD = KafkaRecord("t", 3, 2**40, 7, b"k", b"\xff\x00")
EMPTY = KafkaRecord("t", 0, 0, -1, None, None)


def score(error: str | None, key: str | None = "own", judge: str | None = None) -> SampleScore:
    said = Score(1.0) if error is None else Score(None, ScoreStatus.FAILED, error)
    return SampleScore("small", "helpful", "v1", said, key, judge)


def evaluated(*scores: SampleScore, record: KafkaRecord = RECORD) -> Evaluated:
    sample = Sample("a", 0, "assistant", (Message("user", "Why?"),))
    return Evaluated(record, sample, scores, [1.0] * len(scores))


def failure(*scores: SampleScore) -> Failure | None:
    found = failures([evaluated(*scores)])
    assert len(found) <= 1
    assert all(one.record == RECORD for one in found)
    return found[0] if found else None


@pytest.mark.parametrize(
    "error", ["timeout", "http_429", "http_503", "judge_dns", "embedding_http_500", "not_begun"]
)
def test_a_sample_with_a_call_that_is_worth_making_again_is_unfinished(error: str) -> None:
    assert failure(score(None), score(error)) == Failure(RECORD, error)


@pytest.mark.parametrize("error", [None, "http_400", "judge_bad_json", "cache_miss"])
def test_a_sample_is_finished_if_its_failures_would_come_again(error: str | None) -> None:
    assert failure(score(None), score(error)) is None


def test_a_sample_without_scores_is_finished() -> None:
    assert failure() is None


def test_a_final_failure_is_not_the_reason_where_a_passing_one_is_too() -> None:
    assert failure(score("http_400"), score("http_503"), score("timeout")) == Failure(
        RECORD, "http_503"
    )


@pytest.mark.parametrize("prefix", ["", "judge_", "embedding_"])
def test_nothing_was_tried_only_if_no_call_was_made_in_vain(prefix: str) -> None:
    not_begun = score(prefix + "not_begun")
    untried = failure(not_begun, score(None), not_begun)
    assert untried is not None
    assert (untried.reason, untried.tried) == (prefix + "not_begun", False)
    tried = failure(not_begun, score("timeout"))
    assert tried is not None
    assert (tried.reason, tried.tried) == ("timeout", True)


def test_a_call_that_failed_for_good_is_no_try_that_another_batch_would_repeat() -> None:
    found = failure(score("http_400"), score("not_begun"))
    assert found is not None
    assert not found.tried


@pytest.mark.parametrize(
    ("error", "awaited"),
    [
        ("batch_deadline", "candidate's"),
        ("judge_batch_deadline", "judge's"),
        ("embedding_batch_deadline", "judge's"),
    ],
)
def test_the_answer_of_the_call_under_way_is_awaited(error: str, awaited: str) -> None:
    found = failure(score(error, "candidate's", "judge's"))
    assert found == Failure(RECORD, error, (awaited,))


@pytest.mark.parametrize("error", ["timeout", "not_begun", "judge_not_begun", "judge_timeout"])
def test_no_answer_is_awaited_of_a_call_that_is_over(error: str) -> None:
    assert failure(score(error, "candidate's", "judge's")) == Failure(RECORD, error)


def test_each_awaited_answer_is_named_once() -> None:
    found = failure(
        score("batch_deadline", "b"),
        score("batch_deadline", "b"),
        score("judge_batch_deadline", "x", "a"),
        score("embedding_batch_deadline", "x", None),
        score("timeout", "c"),
    )
    assert found == Failure(RECORD, "batch_deadline", ("a", "b"))


def test_of_several_samples_the_unfinished_ones_are_named_in_order() -> None:
    found = failures(
        [
            evaluated(score("timeout"), record=EMPTY),
            evaluated(score(None)),
            evaluated(score("dns"), record=RECORD),
        ]
    )
    assert found == [Failure(EMPTY, "timeout"), Failure(RECORD, "dns")]


def test_failures_become_a_table_and_the_same_failures_again() -> None:
    told = [Failure(RECORD, "batch_deadline", ("a", "b")), Failure(EMPTY, "not_begun")]
    table = unfinished_table(told)
    assert table.schema == UNFINISHED
    assert by_place(table) == {place(one.record): one for one in told}


def test_no_failures_are_an_empty_table_with_all_columns() -> None:
    assert unfinished_table([]).equals(UNFINISHED.empty_table())
    assert by_place(UNFINISHED.empty_table()) == {}


def test_what_is_tried_again_is_what_lay_in_the_topic_with_its_own_rate() -> None:
    entries = [Pending(RECORD, 2, rate=0.25), Pending(EMPTY, 1)]
    table = retries_table({place(entry.record): entry for entry in entries})
    rows = table.to_pylist()
    assert [KafkaRecord(*(row[n] for n in RECORD_COLUMNS)) for row in rows] == [RECORD, EMPTY]
    assert [row[OWN_RATE] for row in rows] == [0.25, 1.0]
    assert table.schema.field(OWN_RATE).type == pa.float64()
