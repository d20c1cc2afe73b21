"""Spark as it comes reads a Delta table and does nothing with it; in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from pyspark.sql import SparkSession

from streaming_eval.adapters.jars import spark_jars

_CORES = 2


class RawScan:
    """A warm Spark session that scans a table whenever it is asked to.

    Args:
        table: directory of a Delta table.
    """

    def __init__(self, table: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.raw_scan", str(table)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def rate(self) -> float:
        """Rows per second of one scan of all rows and columns."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(file=self._process.stdin, flush=True)
        for line in self._process.stdout:
            if line.startswith("rate "):
                return float(line.removeprefix("rate "))
        raise RuntimeError(f"the scan ended with code {self._process.wait()}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()


def main() -> None:
    """Scans once for each line of standard input."""
    spark = (
        SparkSession.builder.master(f"local[{_CORES}]")
        .config("spark.jars", ",".join(str(jar) for jar in spark_jars()))
        .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        .config(
            "spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog"
        )
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )
    for _ in sys.stdin:
        rows = spark.read.format("delta").load(sys.argv[1])
        count = rows.count()
        began = time.monotonic()
        rows.write.format("noop").mode("overwrite").save()
        print("rate", count / (time.monotonic() - began), flush=True)
    spark.stop()


if __name__ == "__main__":
    main()
