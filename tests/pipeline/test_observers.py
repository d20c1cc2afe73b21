from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import pytest
from pyspark.sql.streaming.listener import SourceProgress

from streaming_eval.adapters.call_tally import CallTally
from streaming_eval.adapters.exporter import Exporter
from streaming_eval.adapters.prometheus import PipelineMetrics
from streaming_eval.pipeline.board import Board
from streaming_eval.pipeline.monitor_sink import MonitoredBatch
from streaming_eval.pipeline.observers import (
    kafka_lag,
    observe_monitored,
    observe_scored,
    scored_offsets,
)
from streaming_eval.pipeline.score_rows import dead_letters_table
from streaming_eval.pipeline.score_sink import ScoredBatch
from streaming_eval.records import DeadLetter, KafkaRecord
from streaming_eval.snapshot import Promises
from tests.pipeline.estimated import KEY, estimate
from tests.pipeline.fleet import key
from tests.pipeline.reports import report
from tests.pipeline.scored import score_row, score_table

RECORD = KafkaRecord("t", 0, 0, 0, None, b"")


def value(metrics: PipelineMetrics, name: str, **labels: str) -> float:
    found = [
        number
        for metric, have, number in metrics.values()
        if metric == f"streaming_eval_{name}" and labels.items() <= have.items()
    ]
    assert len(found) == 1, (name, labels, found)
    return found[0]


def scored_batch(**changes: object) -> ScoredBatch:
    ago_ms = time.time_ns() // 1_000_000 - 5_000
    rows = [
        score_row("s1", 1.0, at_ms=ago_ms - 60_000),
        score_row("s1", None, model="small"),
        score_row("s2", None, at_ms=ago_ms, status="unparsable"),
        score_row("s2", None, model="small"),
    ]
    letters = [DeadLetter(RECORD, reason, "") for reason in ("empty", "blank", "empty")]
    calls = CallTally()
    calls.add("requests", "models", "ok", 5)
    calls.add("tokens", "models", "input", 70)
    calls.add("cache_lookups", "models", "hit", 4)
    calls.add("retries", "models", "http_429", 2)
    values: dict[str, Any] = {
        "batch_id": 7,
        "scores": score_table(rows),
        "dead_letters": dead_letters_table(letters, 7, 0),
        "duplicates": 2,
        "calls": calls.table(),
        "seconds": 0.3,
        "requeued": 4,
        "pending": 9,
    }
    return ScoredBatch(**(values | changes))


def test_a_scored_batch_is_counted_once_by_each_outcome() -> None:
    metrics = PipelineMetrics()
    for _ in range(2):
        observe_scored(metrics, scored_batch())
    assert value(metrics, "samples_total", outcome="scored") == 2 * 2
    assert value(metrics, "samples_total", outcome="duplicate") == 2 * 2
    assert value(metrics, "samples_total", outcome="dead_letter") == 2 * 3
    assert value(metrics, "samples_total", outcome="requeued") == 2 * 4
    assert value(metrics, "pending_samples") == 9
    assert value(metrics, "dead_letters_total", reason="empty") == 2 * 2
    assert value(metrics, "dead_letters_total", reason="blank") == 2 * 1
    assert value(metrics, "scores_missing_total", status="failed") == 2 * 2
    assert value(metrics, "scores_missing_total", status="unparsable") == 2 * 1


def test_the_calls_of_all_workers_are_counted() -> None:
    metrics = PipelineMetrics()
    observe_scored(metrics, scored_batch())
    assert value(metrics, "requests_total", endpoint="models", outcome="ok") == 5
    assert value(metrics, "tokens_total", direction="input") == 70
    assert value(metrics, "cache_lookups_total", result="hit") == 4
    assert value(metrics, "retries_total", reason="http_429") == 2


def test_the_lag_of_events_is_the_age_of_the_newest_sample() -> None:
    metrics, now_s = PipelineMetrics(), time.time()
    observe_scored(metrics, scored_batch())
    assert 5 <= value(metrics, "event_time_lag_seconds", query="score") < 65
    assert value(metrics, "last_score_timestamp_seconds") >= now_s
    assert value(metrics, "last_batch_timestamp_seconds", query="score") >= now_s


def test_events_from_a_clock_that_runs_fast_are_no_negative_lag() -> None:
    metrics = PipelineMetrics()
    ahead_ms = time.time_ns() // 1_000_000 + 60_000
    observe_scored(metrics, scored_batch(scores=score_table([score_row("s", at_ms=ahead_ms)])))
    assert value(metrics, "event_time_lag_seconds", query="score") == 0


def test_a_batch_without_scores_is_no_sign_of_scoring() -> None:
    metrics = PipelineMetrics()
    observe_scored(metrics, scored_batch(scores=score_table([])))
    assert value(metrics, "last_score_timestamp_seconds") == 0
    assert value(metrics, "samples_total", outcome="scored") == 0
    assert value(metrics, "last_batch_timestamp_seconds", query="score") > 0


def test_a_monitored_batch_is_shown_and_its_late_scores_are_counted_once() -> None:
    exporter = Exporter("127.0.0.1", 0)
    board = Board(Promises(0.05, 604_800.0, frozenset({"contains"})), 3_600_000)
    late = [
        report(series, (1, 2), late=70, late_new=7)
        for series in (key(), key(segment="tier=pro"), key(model="small", against="large"))
    ]
    batch = MonitoredBatch(3, late, [estimate()], [], 1_700_000_000_123, 0.2)
    observe_monitored(exporter, board, batch)
    assert value(exporter.metrics, "late_samples_total") == 7
    assert value(exporter.metrics, "last_batch_timestamp_seconds", query="monitor") == (
        1_700_000_000.123
    )
    assert [view.key for view in board.snapshot(1_700_000_000_123).estimates] == [KEY]
    exporter.mark_ready()
    assert exporter.ready, "a snapshot was published"


@pytest.mark.parametrize(
    ("end", "offsets"),
    [
        ({"t": {"0": 7, "1": 0}}, {("t", 0): 7, ("t", 1): 0}),
        ({}, {}),
        (None, {}),
    ],
)
def test_offsets_are_read_off_what_spark_says_of_its_progress(
    end: object, offsets: Mapping[tuple[str, int], int]
) -> None:
    source = SourceProgress.fromJson(
        {
            "description": "KafkaV2[Subscribe[t]]",
            "startOffset": None,
            "endOffset": end,
            "latestOffset": end,
            "numInputRows": 0,
            "inputRowsPerSecond": 0.0,
            "processedRowsPerSecond": 0.0,
        }
    )
    assert source["endOffset"] == json.dumps(end)
    assert scored_offsets({"sources": [source]}) == offsets


def test_what_was_produced_and_not_scored_is_the_lag_and_never_negative() -> None:
    scored = {("t", 0): 7, ("t", 1): 5, ("gone", 0): 3}
    ends = {("t", 0): 10, ("t", 1): 4, ("t", 2): 6}
    assert kafka_lag(scored, ends) == {("t", 0): 3, ("t", 1): 0, ("t", 2): 6}


def test_weights_beyond_the_largest_that_counts_are_counted() -> None:
    rows = [score_row(f"s{n}", weight=weight) for n, weight in enumerate((1.0, 8.0, 8.5, 40.0))]
    for max_weight, clipped in ((1.0, 0.0), (8.0, 2.0)):
        metrics = PipelineMetrics()
        observe_scored(metrics, scored_batch(scores=score_table(rows)), max_weight)
        values = {name: value for name, _, value in metrics.values()}
        assert values["streaming_eval_clipped_weights_total"] == clipped
