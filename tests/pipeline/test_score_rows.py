from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from streaming_eval.adapters.schemas import DEAD_LETTERS, SCORES
from streaming_eval.formats.reasons import DeadLetterReason
from streaming_eval.inference.evaluate import SampleScore
from streaming_eval.pipeline.score_rows import Evaluated, dead_letters_table, instant, scores_table
from streaming_eval.records import DeadLetter, KafkaRecord, Message, Sample, Score, ScoreStatus

RECORD = KafkaRecord("samples", 3, 41, 1_700_000_000_123, b"k", b"{}")
SAMPLE = Sample(
    id="s1",
    event_time_ms=1_700_000_000_001,
    model="assistant",
    messages=(Message("user", "Why?"),),
    segments={"tier": "pro", "": "ø"},
    conversation_id="c",
    trace_id="t",
    sampling_fraction=0.25,
)
OK = SampleScore("small", "contains", "v1", Score(1.0), "ab", None, {"large": 0.0})
FAILED = SampleScore(
    "large", "judge", "v2", Score(None, ScoreStatus.FAILED, "http_500"), "cd", "ef"
)
JUDGED = SampleScore("small", "judge", "v2", Score(2.0, explanation="Fine."), "ab", "98")


def test_each_score_is_a_row_that_says_where_it_came_from() -> None:
    table = scores_table(
        [Evaluated(RECORD, SAMPLE, [OK, FAILED], [4.0, 8.0])], batch_id=7, now_ms=1_800
    )
    assert table.schema == SCORES
    ok, failed = table.to_pylist()
    assert ok == {
        "sample_id": "s1",
        "model": "small",
        "scorer": "contains",
        "evaluation_version": "v1",
        "event_time": instant(1_700_000_000_001),
        "event_date": dt.date(2023, 11, 14),
        "segments": [("tier", "pro"), ("", "ø")],
        "value": 1.0,
        "paired_values": [("large", 0.0)],
        "weight": 4.0,
        "status": "ok",
        "error": None,
        "explanation": None,
        "cache_key": "ab",
        "judge_cache_key": None,
        "anchor_id": None,
        "conversation_id": "c",
        "trace_id": "t",
        "cluster": None,
        "first_of_cluster": None,
        "topic": "samples",
        "partition": 3,
        "offset": 41,
        "scored_at": instant(1_800),
        "batch_id": 7,
    }
    assert (failed["value"], failed["status"], failed["error"]) == (None, "failed", "http_500")
    assert failed["weight"] == 8.0
    assert failed["paired_values"] == []


def test_scores_stay_with_their_sample_and_record() -> None:
    other = replace(SAMPLE, id="s2", sampling_fraction=1.0, segments={})
    evaluated = [
        Evaluated(RECORD, SAMPLE, [OK, JUDGED], [4.0, 5.0]),
        Evaluated(RECORD, SAMPLE, [], []),
        Evaluated(replace(RECORD, partition=4, offset=0), other, [FAILED], [1.0]),
    ]
    rows = scores_table(evaluated, 0, 0).to_pylist()
    assert [(r["sample_id"], r["partition"], r["offset"], r["scorer"]) for r in rows] == [
        ("s1", 3, 41, "contains"),
        ("s1", 3, 41, "judge"),
        ("s2", 4, 0, "judge"),
    ]
    assert [r["explanation"] for r in rows] == [None, "Fine.", None]
    assert [r["judge_cache_key"] for r in rows] == [None, "98", "ef"]
    assert [r["weight"] for r in rows] == [4.0, 5.0, 1.0]


def test_no_scores_are_an_empty_table_with_all_columns() -> None:
    assert scores_table([], 0, 0).equals(SCORES.empty_table())
    assert dead_letters_table([], 0, 0).equals(DEAD_LETTERS.empty_table())


@pytest.mark.parametrize(
    ("ms", "date"),
    [
        (-1, dt.date(1969, 12, 31)),
        (0, dt.date(1970, 1, 1)),
        (86_399_999, dt.date(1970, 1, 1)),
        (-62_135_596_800_000, dt.date(1, 1, 1)),
        (253_402_300_799_999, dt.date(9999, 12, 31)),
    ],
)
def test_any_event_time_has_its_own_date(ms: int, date: dt.date) -> None:
    (row,) = scores_table(
        [Evaluated(RECORD, replace(SAMPLE, event_time_ms=ms), [OK], [1.0])], 0, 0
    ).to_pylist()
    assert row["event_date"] == date
    assert row["event_time"] == instant(ms)
    assert instant(ms).date() == date


@pytest.mark.parametrize("payload", [b"", b"\xff\x00{", None])
def test_a_dead_letter_keeps_its_bytes(payload: bytes | None) -> None:
    record = replace(RECORD, key=payload, value=payload)
    letter = DeadLetter(record, DeadLetterReason.MALFORMED_JSON, "it is not JSON")
    table = dead_letters_table([letter], batch_id=5, now_ms=1_800)
    assert table.schema == DEAD_LETTERS
    assert table.to_pylist() == [
        {
            "topic": "samples",
            "partition": 3,
            "offset": 41,
            "kafka_time": instant(1_700_000_000_123),
            "key": payload,
            "value": payload,
            "reason": "malformed_json",
            "message": "it is not JSON",
            "rejected_at": instant(1_800),
            "batch_id": 5,
        }
    ]
