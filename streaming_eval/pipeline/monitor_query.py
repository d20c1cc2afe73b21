"""The query that is pure arithmetic: scores in, estimates and alerts out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

from streaming_eval.pipeline.plan import MonitorPlan
from streaming_eval.pipeline.preaggregate import SeriesLayout, pane_counts
from streaming_eval.pipeline.series_processor import REPORT, SeriesProcessor

QUERY = "monitor"
_PANE_COUNTS = (
    "series_key string, pane_ms long, levels array<long>, counts array<long>, newest timestamp"
)


def scores(spark: SparkSession, uri: str) -> DataFrame:
    """The scores table as a stream, with what the monitor reads of it."""
    return (
        spark.readStream.format("delta")
        .option("maxFilesPerTrigger", 1_000)
        .load(uri)
        .select(
            "model",
            "scorer",
            "evaluation_version",
            "event_time",
            "scored_at",
            "segments",
            "value",
            "paired_values",
            # Rounding depends on the sample and scorer alone, so a replay repeats it.
            F.xxhash64("sample_id", "scorer").alias("sample_hash"),
        )
    )


def reports(stream: DataFrame, plan: MonitorPlan) -> DataFrame:
    """Scores in, one report per series and batch out; starts nothing.

    The watermark column is dropped before the stateful step: Spark would silently discard late
    rows, where the step counts them.
    """
    counts = stream.mapInArrow(_counter(plan.layout), _PANE_COUNTS)
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


def _counter(
    layout: SeriesLayout,
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return pane_counts(batches, layout)

    return run
