"""P14 to P16, P18: the monitor's stateful step beside a built-in aggregation and plain numpy.

Every side gets the same score rows, one file per micro-batch, in turns. Ours is all that the
monitor query does up to its sink: counts per series and pane, state on RocksDB, one report per
series. The built-in one keeps count, sum and sum of squares per series and pane.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession

from benchmarks.monitor_rows import first_decisions, score_rows, watched
from benchmarks.monitor_sides import BuiltIn, Numpy, Ours, Side
from benchmarks.ratio import ratio
from benchmarks.report import Report
from streaming_eval.pipeline.session import spark_session
from streaming_eval.settings import SparkSettings

_WARM_UP = 2
_MOST_TO_FLUSH = 12  # batches until RocksDB has written out what it holds in memory
_SHIFT_SERIES, _SHIFT_ROWS = 20, 300
_SHIFT_AT, _SHIFTED = 8, 6  # batches before the drop and after it
_PASS, _SHIFTED_PASS = 0.9, 0.75


@dataclass(frozen=True, slots=True)
class _Size:
    """A batch: so many series with so many scores each, and what is asked of it."""

    goal: str
    series: int
    rows: int
    over_built_in: float
    over_numpy: float | None = None


_SIZES = (
    _Size("P14", 100, 500, over_built_in=1.3, over_numpy=40.0),
    _Size("P15", 10_000, 1, over_built_in=3.0),
)
_STATE_GOAL = 4.0


def run(directory: Path, report: Report, *, quick: bool) -> None:
    """One Spark session for all of it."""
    batches = 3 if quick else 9
    spark = spark_session(SparkSettings(), "monitor-benchmark")
    try:
        for size in _SIZES:
            _compare(spark, directory / size.goal, size, batches, report)
        _alarm_latency(spark, directory / "P18", report)
    finally:
        spark.stop()


def _compare(
    spark: SparkSession, directory: Path, size: _Size, batches: int, report: Report
) -> None:
    fleet = watched(size.series)
    ours = Ours(spark, fleet, directory / "ours")
    built_in = BuiltIn(spark, fleet, directory / "built-in")
    numpy = Numpy(fleet)
    sides: tuple[Side, ...] = (ours, built_in, numpy)
    seconds: list[list[float]] = []
    for number in range(batches + _WARM_UP):
        rows = score_rows(fleet, number, size.rows, _PASS)
        seconds.append([side.take(number, rows) for side in sides])
        report.progress("ours {:.3f} s, built-in {:.3f} s, numpy {:.3f} s".format(*seconds[-1]))
    mine, theirs, bare = (list(column) for column in zip(*seconds[_WARM_UP:], strict=True))
    report.add_ratio(
        size.goal,
        f"{size.series:,} series x {size.rows} scores: monitor's step / built-in aggregation",
        ratio(mine, theirs),
        f"{np.median(mine):.3f} s against {np.median(theirs):.3f} s per trigger",
        most=size.over_built_in,
    )
    report.add_ratio(
        size.goal,
        "  the same / the same arithmetic in process",
        ratio(mine, bare),
        f"{1e6 * np.median(mine) / (size.series * size.rows):.1f} us per score",
        most=size.over_numpy,
    )
    for number in range(len(seconds), len(seconds) + _MOST_TO_FLUSH):
        before, rows = ours.state_bytes(), score_rows(fleet, number, size.rows, _PASS)
        ours.take(number, rows)
        numpy.take(number, rows)
        if ours.state_bytes() != before:
            break
    _state_size(ours, numpy, size, report)
    ours.stop()
    built_in.stop()


def _state_size(ours: Ours, numpy: Numpy, size: _Size, report: Report) -> None:
    stored, packed = ours.state_bytes() / size.series, numpy.state_bytes() / size.series
    report.add(
        "P16",
        f"{size.series:,} series: bytes in RocksDB per series / state as text",
        f"{stored / packed:.2f}; {stored:,.0f} against {packed:,.0f} bytes",
        f"<= {_STATE_GOAL:g}",
        met=stored <= _STATE_GOAL * packed,
    )


def _alarm_latency(spark: SparkSession, directory: Path, report: Report) -> None:
    """A drop at a known moment, in every series."""
    fleet = watched(_SHIFT_SERIES)
    ours = Ours(spark, fleet, directory)
    batches: list[pa.Table] = []
    said: dict[str, int] = {}
    seconds = []
    for number in range(_SHIFT_AT + _SHIFTED):
        mean = _PASS if number < _SHIFT_AT else _SHIFTED_PASS
        batches.append(score_rows(fleet, number, _SHIFT_ROWS, mean))
        began = time.monotonic()
        ours.take(number, batches[-1])
        seconds.append(time.monotonic() - began)
        for told in ours.reported():
            if any(step.resolution is None for step in told.transitions):
                said.setdefault(told.series_key, number)
    ours.stop()
    decided = first_decisions(fleet, batches)
    late = [said[series] - number for series, number in decided.items() if series in said]
    missing = len(decided) - len(late)
    worst = max(late, default=0)
    report.add(
        "P18",
        f"pass rate {_PASS} to {_SHIFTED_PASS}, {_SHIFT_ROWS} scores a batch: batches from the one "
        "that holds the first score that decides to the one whose report opens the alarm",
        f"worst {worst} of {len(decided)} series, {missing} never; a batch took "
        f"{np.median(seconds):.2f} s, at most {max(seconds[_WARM_UP:]):.2f} s",
        "<= 1, none never",
        met=bool(decided) and worst <= 1 and not missing,
    )
