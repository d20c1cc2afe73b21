"""Committed batches to metrics."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow.compute as pc

from streaming_eval.adapters.exporter import Exporter
from streaming_eval.adapters.prometheus import PipelineMetrics
from streaming_eval.pipeline import monitor_query, score_query
from streaming_eval.pipeline.board import Board
from streaming_eval.pipeline.call_metrics import observe_calls
from streaming_eval.pipeline.monitor_sink import MonitoredBatch
from streaming_eval.pipeline.score_sink import ScoredBatch
from streaming_eval.pipeline.series_report import SeriesReport
from streaming_eval.records import ALL_SEGMENTS, ScoreStatus, SeriesKey


def observe_scored(metrics: PipelineMetrics, batch: ScoredBatch, max_weight: float = 1.0) -> None:
    """Counts what a batch of the score query came to.

    Args:
        metrics: of the pipeline.
        batch: that has been committed.
        max_weight: largest weight that counts in full; 1 where weights do not count.
    """
    now_s = time.time()
    scores = batch.scores
    metrics.observe_batch(score_query.QUERY, batch.seconds, now_s)
    metrics.count_samples("duplicate", batch.duplicates)
    metrics.count_samples("dead_letter", batch.dead_letters.num_rows)
    metrics.count_samples("requeued", batch.requeued)
    metrics.observe_pending(batch.pending)
    for reason, n in Counter(batch.dead_letters["reason"].to_pylist()).items():
        metrics.count_dead_letters(reason, n)
    for status in (ScoreStatus.FAILED, ScoreStatus.UNPARSABLE):
        n = pc.sum(pc.equal(scores["status"], status.value)).as_py() or 0
        metrics.count_missing_scores(status, n)
    if max_weight > 1.0:
        heavy = pc.sum(pc.greater(scores["weight"], max_weight)).as_py() or 0
        metrics.count_clipped_weights(heavy)
    if scores.num_rows:
        metrics.count_samples("scored", pc.count_distinct(scores["sample_id"]).as_py())
        metrics.observe_scores(now_s)
        newest = pc.max(scores["event_time"]).as_py().timestamp()
        metrics.observe_event_time_lag(score_query.QUERY, max(0.0, now_s - newest))
    observe_calls(metrics, batch.calls)


def observe_monitored(exporter: Exporter, board: Board, batch: MonitoredBatch) -> None:
    """Shows what a batch of the monitor query came to."""
    board.update(batch.estimates, batch.now_ms)
    exporter.publish(board.snapshot(batch.now_ms))
    exporter.metrics.count_late_samples(_late(batch.reports))
    if batch.reports:
        exporter.metrics.observe_state_bytes(max(r.state_bytes for r in batch.reports))
    exporter.metrics.observe_batch(monitor_query.QUERY, batch.seconds, batch.now_ms / 1_000)


def _late(reports: Iterable[SeriesReport]) -> int:
    """Late scores, each once: segments and comparisons count the same scores again."""
    keyed = ((SeriesKey.parse(report.series_key), report) for report in reports)
    return sum(
        report.n_late_new
        for key, report in keyed
        if key.segment == ALL_SEGMENTS and not key.against
    )


def scored_offsets(progress: Mapping[str, Any]) -> dict[tuple[str, int], int]:
    """How far the score query has come, by (topic, partition), from its last progress."""
    return {
        (topic, int(partition)): offset
        for source in progress["sources"]
        # Spark writes null for a source whose offsets it does not know yet.
        for topic, partitions in (json.loads(source["endOffset"]) or {}).items()
        for partition, offset in partitions.items()
    }


def kafka_lag(
    scored: Mapping[tuple[str, int], int], ends: Mapping[tuple[str, int], int]
) -> dict[tuple[str, int], int]:
    """Records in the topic that are not scored yet.

    >>> kafka_lag({("t", 0): 7}, {("t", 0): 10, ("t", 1): 2})
    {('t', 0): 3, ('t', 1): 2}
    """
    return {place: max(0, end - scored.get(place, 0)) for place, end in ends.items()}
