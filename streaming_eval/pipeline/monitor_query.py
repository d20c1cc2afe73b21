"""The query that is pure arithmetic: scores in, estimates and alerts out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from streaming_eval.adapters.tables import Tables
from streaming_eval.pipeline.appended_rows import AppendedRows, Feed, appended_rows
from streaming_eval.pipeline.arrivals import ARRIVALS, BUCKET, NEWEST, STREAM_DDL, count_rows
from streaming_eval.pipeline.decision_stream import READ_DECISIONS, decision_rows
from streaming_eval.pipeline.plan import MonitorPlan
from streaming_eval.pipeline.preaggregate import READ, pane_counts
from streaming_eval.pipeline.series_layout import SeriesLayout
from streaming_eval.pipeline.series_processor import REPORTS, SeriesProcessor

QUERY = "monitor"
_ROWS_PER_TRIGGER = 2_000_000


def rows_of(spark: SparkSession, tables: Tables, plan: MonitorPlan, tasks: int) -> DataFrame:
    """What is scored, as counts per series and pane, and what people decide, as one stream.

    One source and not a union of two, so that both cost one task where there is little to do.
    """
    scores = Feed("scores", Path(tables.uri("scores")), READ, partial(_counts, layout=plan.layout))
    decisions = Feed("decisions", Path(tables.uri("decisions")), READ_DECISIONS, decision_rows)
    feeds = (scores, decisions)
    return appended_rows(
        spark, AppendedRows(feeds, STREAM_DDL, _ROWS_PER_TRIGGER, tasks, plan.worker_silence_s)
    )


def _counts(batches: Iterable[pa.RecordBatch], layout: SeriesLayout) -> Iterator[pa.RecordBatch]:
    return count_rows(pane_counts(batches, layout))


def reports(rows: DataFrame, plan: MonitorPlan) -> DataFrame:
    """Counts and decisions in, reports on what they changed out; starts nothing.

    Spark's key is a bucket of series, not a series, and a row is for all of it: see
    `series_bucket` and `arrivals`.

    The watermark column is dropped before the stateful step: Spark would silently discard late
    rows, where the step counts them.
    """
    marked = rows.withWatermark(NEWEST, f"{plan.allowed_lateness_ms} milliseconds")
    return (
        marked.select(BUCKET, ARRIVALS.column)
        .groupBy(BUCKET)
        .transformWithState(
            statefulProcessor=SeriesProcessor(plan),
            outputStructType=REPORTS.schema,
            outputMode="Update",
            timeMode="EventTime",
        )
    )


def start(
    stream: DataFrame,
    sink: Callable[[DataFrame, int], None],
    checkpoint: Path,
    trigger_ms: int,
) -> StreamingQuery:
    """Starts the query under its name."""
    return (
        stream.writeStream.queryName(QUERY)
        .outputMode("update")
        .option("checkpointLocation", str(checkpoint))
        .trigger(processingTime=f"{trigger_ms} milliseconds")
        .foreachBatch(sink)
        .start()
    )
