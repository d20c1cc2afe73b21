"""How the sink was chosen: Spark's Delta append against delta-rs', on the same rows."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession

from benchmarks.ratio import interleaved, ratio
from benchmarks.report import Report
from streaming_eval.adapters.schemas import SCORES
from streaming_eval.adapters.tables import Tables
from streaming_eval.pipeline.session import spark_session
from streaming_eval.settings import SparkSettings

_SIZES = (20, 1_000, 20_000)
_GOAL = 0.10


def run(directory: Path, report: Report, *, quick: bool) -> None:
    """Interleaved appends of scores through both writers; P12 at 1,000 rows."""
    pairs = 2 if quick else 9
    spark = spark_session(SparkSettings(), "sink")
    try:
        for size in _SIZES:
            _compare(spark, directory / str(size), report, size, pairs)
    finally:
        spark.stop()


def _compare(spark: SparkSession, root: Path, report: Report, size: int, pairs: int) -> None:
    rows = _scores(size)
    tables = Tables(root / "delta-rs")
    other = Tables(root / "spark")
    frame = spark.createDataFrame(rows).cache()
    frame.count()
    version = iter(range(10_000))

    def ours() -> float:
        began = time.monotonic()
        tables.append("scores", rows, "benchmark", next(version))
        return time.monotonic() - began

    def spark_append() -> float:
        began = time.monotonic()
        (
            frame.write.format("delta")
            .mode("append")
            .option("txnAppId", "benchmark")
            .option("txnVersion", next(version))
            .save(other.uri("scores"))
        )
        return time.monotonic() - began

    mine, theirs = interleaved(ours, spark_append, pairs)
    report.add_ratio(
        "P12" if size == 1_000 else "sink",
        f"append of {size:,} scores: delta-rs / Spark",
        ratio(mine, theirs),
        f"{1e3 * np.median(mine):.0f} ms against {1e3 * np.median(theirs):.0f} ms",
        most=_GOAL if size == 1_000 else None,
    )


def _scores(count: int) -> pa.Table:
    columns = {
        "sample_id": [f"sample-{i}" for i in range(count)],
        "model": ["candidate"] * count,
        "scorer": ["contains"] * count,
        "evaluation_version": ["0123456789ab"] * count,
        "event_time": [1_700_000_000_000_000 + i for i in range(count)],
        "event_date": [19_675] * count,
        "segments": [[("source", "squad")]] * count,
        "value": [float(i % 2) for i in range(count)],
        "paired_values": [[]] * count,
        "status": ["ok"] * count,
        "batch_id": [1] * count,
    }
    arrays = [
        pa.array(columns[f.name], f.type) if f.name in columns else pa.nulls(count, f.type)
        for f in SCORES
    ]
    return pa.Table.from_arrays(arrays, schema=SCORES)
