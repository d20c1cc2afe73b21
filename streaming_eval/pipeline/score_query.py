"""The query that spends money: Kafka in, scores out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

from streaming_eval.pipeline.score_sink import ScoreSink
from streaming_eval.settings import KafkaSettings

QUERY = "score"
_FETCH_WAIT_MS = 20


def records(spark: SparkSession, kafka: KafkaSettings, security: Mapping[str, str]) -> DataFrame:
    """The topic as a stream of raw records."""
    reader = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", kafka.bootstrap_servers)
        .option("subscribe", kafka.topic)
        .option("startingOffsets", kafka.starting_offsets)
        .option("maxOffsetsPerTrigger", kafka.max_records_per_trigger)
        .option("failOnDataLoss", "true")
        # A reader that has reached the end waits so long at the broker, and a batch with it.
        .option("kafka.fetch.max.wait.ms", _FETCH_WAIT_MS)
    )
    for key, value in security.items():
        reader = reader.option(f"kafka.{key}", value)
    return reader.load().select(
        "topic",
        "partition",
        "offset",
        F.expr("unix_millis(timestamp)").alias("timestamp_ms"),
        "key",
        "value",
    )


def start(stream: DataFrame, sink: ScoreSink, checkpoint: Path, trigger_ms: int) -> StreamingQuery:
    """Starts the query under its name."""
    return (
        stream.writeStream.queryName(QUERY)
        .option("checkpointLocation", str(checkpoint))
        .trigger(processingTime=f"{trigger_ms} milliseconds")
        .foreachBatch(sink)
        .start()
    )
