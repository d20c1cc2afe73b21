"""The floor under any micro-batch: a streaming query that reads and does nothing.

It is measured twice: with Spark as it comes, which is the bare baseline of the goals, and with our
session, whose settings make even this query faster.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from pyspark.sql import SparkSession

from streaming_eval.pipeline.session import spark_session
from streaming_eval.settings import SparkSettings

_SECONDS = 15.0
_ROWS_PER_S = 50


def noop_batch_seconds(directory: Path, session: str) -> float:
    """Median duration of a no-op micro-batch, measured in a process of its own.

    Args:
        directory: for the checkpoint.
        session: `stock`, Spark as it comes, or `ours`.
    """
    output = subprocess.run(
        [sys.executable, "-m", "benchmarks.noop_floor", session, str(directory)],
        check=True,
        stdout=subprocess.PIPE,
    ).stdout
    return float(json.loads(output.splitlines()[-1]))


def _session(kind: str) -> SparkSession:
    if kind == "ours":
        return spark_session(SparkSettings(), "floor")
    return SparkSession.builder.master("local[*]").appName("floor").getOrCreate()


def _measure(kind: str, checkpoint: Path) -> float:
    spark = _session(kind)
    spark.sparkContext.setLogLevel("ERROR")
    rows = spark.readStream.format("rate").option("rowsPerSecond", _ROWS_PER_S).load()
    query = (
        rows.writeStream.format("noop")
        .option("checkpointLocation", str(checkpoint))
        .trigger(processingTime="500 milliseconds")
        .start()
    )
    time.sleep(_SECONDS)
    durations = [p["durationMs"]["triggerExecution"] for p in query.recentProgress][3:]
    query.stop()
    spark.stop()
    return float(sorted(durations)[len(durations) // 2]) / 1_000


if __name__ == "__main__":
    print(_measure(sys.argv[1], Path(sys.argv[2])))
