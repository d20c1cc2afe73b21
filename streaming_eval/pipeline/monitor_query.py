"""The query that is pure arithmetic: scores in, estimates and alerts out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from streaming_eval.pipeline.appended_rows import AppendedRows, appended_rows
from streaming_eval.pipeline.plan import MonitorPlan
from streaming_eval.pipeline.preaggregate import READ, pane_counts
from streaming_eval.pipeline.series_processor import REPORT, SeriesProcessor

QUERY = "monitor"
_ROWS_PER_TRIGGER = 2_000_000
_PANE_COUNTS = (
    "series_key string, pane_ms long, levels array<long>, counts array<long>, newest timestamp"
)


def pane_counts_of(spark: SparkSession, scores: Path, plan: MonitorPlan, tasks: int) -> DataFrame:
    """The scores table as a stream of counts per series and pane."""
    return appended_rows(
        spark,
        AppendedRows(
            scores,
            READ,
            partial(pane_counts, layout=plan.layout),
            _PANE_COUNTS,
            _ROWS_PER_TRIGGER,
            tasks,
            plan.worker_silence_s,
        ),
    )


def reports(counts: DataFrame, plan: MonitorPlan) -> DataFrame:
    """Counts in, one report per series and batch out; starts nothing.

    The watermark column is dropped before the stateful step: Spark would silently discard late
    rows, where the step counts them.
    """
    marked = counts.withWatermark("newest", f"{plan.allowed_lateness_ms} milliseconds")
    return (
        marked.select("series_key", "pane_ms", "levels", "counts")
        .groupBy("series_key")
        .transformWithState(
            statefulProcessor=SeriesProcessor(plan),
            outputStructType=REPORT.schema,
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
