"""The sides of the monitor's benchmark: each takes a batch of rows and says how long it took."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import defaultdict
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as f
from pyspark.sql.streaming.query import StreamingQuery

from benchmarks.monitor_rows import BATCH_MS, Watched, panes_by_series
from streaming_eval.adapters.schemas import SCORES
from streaming_eval.adapters.tables import Tables
from streaming_eval.alerting import Pane, SeriesState, expire, observe
from streaming_eval.pipeline.monitor_query import reports, rows_of
from streaming_eval.pipeline.series_processor import REPORTS, STATE
from streaming_eval.pipeline.series_report import Advance, SeriesReport, report
from streaming_eval.records import SeriesKey


class Side(Protocol):
    """Takes batches one after the other."""

    def take(self, number: int, rows: pa.Table) -> float:
        """Seconds that the batch took."""
        ...


class _Query(ABC):
    """A streaming query that takes a batch for each file; nothing happens between batches."""

    def __init__(self, spark: SparkSession, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True)
        self._spark = spark
        self._query: StreamingQuery | None = None
        self._rows: list[Row] = []

    def take(self, number: int, rows: pa.Table) -> float:
        self._append(number, rows)
        if self._query is None:
            self._query = self._start()
        self._query.processAllAvailable()
        with_rows = [p for p in self._query.recentProgress if p.numInputRows]
        return float(with_rows[-1].durationMs["triggerExecution"]) / 1_000

    def stop(self) -> None:
        if self._query is not None:
            self._query.stop()

    def _start(self) -> StreamingQuery:
        return (
            self._stream()
            .writeStream.outputMode("update")
            .option("checkpointLocation", str(self._directory / "checkpoint"))
            .trigger(processingTime="50 milliseconds")
            .foreachBatch(self._collect)
            .start()
        )

    def _collect(self, batch: DataFrame, batch_id: int) -> None:
        self._rows += batch.collect()

    @abstractmethod
    def _append(self, number: int, rows: pa.Table) -> None:
        """Puts a batch where the query reads."""

    @abstractmethod
    def _stream(self) -> DataFrame:
        """What the query makes of it."""


class Ours(_Query):
    """The monitor query, from the table of scores to reports."""

    def __init__(self, spark: SparkSession, fleet: Watched, directory: Path) -> None:
        super().__init__(spark, directory)
        self._plan, self._tables = fleet.plan, Tables(directory)

    def reported(self) -> list[SeriesReport]:
        """What has been reported since this was asked last."""
        told, self._rows = self._rows, []
        return [one for row in told for one in REPORTS.unpack(row).reports]

    def state_bytes(self) -> int:
        """Bytes of all files that RocksDB keeps, as the query's newest progress says."""
        assert self._query is not None
        progress = self._query.lastProgress
        assert progress is not None
        return sum(
            int(operator.customMetrics["rocksdbSstFileSize"])
            for operator in progress.stateOperators
        )

    def _append(self, number: int, rows: pa.Table) -> None:
        known = {"event_date": pc.cast(rows["event_time"], pa.date32())}
        columns = [
            rows[field.name]
            if field.name in rows.column_names
            else known.get(field.name, pa.nulls(rows.num_rows, field.type))
            for field in SCORES
        ]
        self._tables.append_untracked("scores", pa.table(columns, schema=SCORES))

    def _stream(self) -> DataFrame:
        return reports(rows_of(self._spark, self._tables, self._plan, tasks=2), self._plan)


class BuiltIn(_Query):
    """Spark's own aggregation of the same rows, from Parquet files."""

    def __init__(self, spark: SparkSession, fleet: Watched, directory: Path) -> None:
        super().__init__(spark, directory)
        self._input = directory / "input"
        self._input.mkdir()
        self._lateness = f"{fleet.plan.allowed_lateness_ms} milliseconds"

    def _append(self, number: int, rows: pa.Table) -> None:
        hidden = self._input / f".{number}"
        pq.write_table(rows, hidden)
        hidden.rename(self._input / f"{number:05d}.parquet")

    def _stream(self) -> DataFrame:
        schema = self._spark.read.parquet(str(self._input)).schema
        files = self._spark.readStream.schema(schema).option("maxFilesPerTrigger", 1)
        pane = f.window("event_time", f"{BATCH_MS} milliseconds")
        return (
            files.parquet(str(self._input))
            .withWatermark("event_time", self._lateness)
            .groupBy("model", "scorer", "evaluation_version", pane)
            .agg(f.count("value"), f.sum("value"), f.sum(f.col("value") * f.col("value")))
        )


class Numpy:
    """The same counts, states and reports in this process, without Spark."""

    def __init__(self, fleet: Watched) -> None:
        self._plan = fleet.plan
        self._states: dict[str, SeriesState] = defaultdict(SeriesState)
        self._newest_ms = 0

    def take(self, number: int, rows: pa.Table) -> float:
        began = time.perf_counter()
        for key, panes in panes_by_series(rows.to_batches(), self._plan).items():
            plan = self._plan.series(SeriesKey.parse(key))
            before = self._states[key]
            watermark_ms = self._newest_ms - self._plan.allowed_lateness_ms
            arrived = [Pane(begin_ms, tuple(counts)) for begin_ms, counts in panes.items()]
            counted = observe(before, arrived, watermark_ms, plan)
            after, closed = expire(counted, watermark_ms, plan)
            report(Advance(key, before, after, closed), plan)
            self._states[key] = after
        newest_us = rows["event_time"].cast(pa.int64()).to_numpy().max()
        self._newest_ms = int(newest_us) // 1_000
        return time.perf_counter() - began

    def state_bytes(self) -> int:
        """Bytes of all states as they are handed to Spark."""
        return sum(len(STATE.pack(state)[0].encode()) for state in self._states.values())
