"""P12 and P13: commits of answers, beside Spark's and after a thousand others."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from benchmarks.made_answers import answers
from benchmarks.ratio import interleaved, ratio
from benchmarks.report import Report
from streaming_eval.adapters.answer_index import AnswerIndex
from streaming_eval.adapters.answer_store import AnswerStore
from streaming_eval.adapters.answer_table import responses_table
from streaming_eval.adapters.spool import SpoolWriter
from streaming_eval.adapters.tables import Tables
from streaming_eval.pipeline.session import spark_session
from streaming_eval.settings import SparkSettings

_COMMITTED = 1_000
_PER_COMMIT = 20
_LOOKED_UP = 2_000
_LOOK_UPS = 200
_GOAL_BESIDE_SPARK, _GOAL_AFTER_MANY, _MOST_FILES = 0.10, 1.5, 200


def run(directory: Path, report: Report, *, quick: bool) -> None:
    """Everything with the upkeep that the job does after every batch."""
    before, pairs = (60, 3) if quick else (1_000, 30)
    used, fresh = _Job(directory / "used"), _Job(directory / "fresh")
    for number in range(before):
        used.commit(_PER_COMMIT)
        if number % 250 == 249:
            report.progress(f"{number + 1:,} commits")
    _after_many(directory, used, fresh, before, pairs, report)
    _beside_spark(directory, fresh, pairs, report)


class _Job:
    """The driver's side of a job, with upkeep after every batch."""

    def __init__(self, root: Path) -> None:
        self.tables = Tables(root)
        self._index = AnswerIndex(root / "index", self.tables.uri("responses"))
        self._store = AnswerStore(self.tables, root / "spool", self._index)
        self._keys: list[str] = []
        self._batch = 0

    def commit(self, count: int = _COMMITTED) -> float:
        """Seconds to move a batch's answers from the spool into the table."""
        self._batch += 1
        with SpoolWriter(self._store.directory(self._batch) / "task.spool") as writer:
            for answer in answers(len(self._keys), count):
                writer.append(answer)
                self._keys.append(answer.cache_key)
        began = time.monotonic()
        self._store.commit(self._batch)
        seconds = time.monotonic() - began
        self._store.tend(time.time_ns() // 1_000_000)
        return seconds

    def looker(self, index: AnswerIndex | None = None) -> Callable[[], float]:
        """Looks up 2,000 keys, in this job's index where None."""
        chosen = index or self._index
        chosen.refresh(self.tables.version("responses"))
        draw = np.random.default_rng(7)

        def look_up() -> float:
            keys = [self._keys[i] for i in draw.integers(0, len(self._keys), _LOOKED_UP)]
            began = time.monotonic()
            assert len(chosen.lookup(keys)) == len(set(keys))
            return time.monotonic() - began

        return look_up


def _after_many(
    directory: Path, used: _Job, fresh: _Job, before: int, pairs: int, report: Report
) -> None:
    """A worn table beside a new one, then its index beside one of the compacted table."""
    compared = f"after {before:,} commits / freshly compacted"
    commits = interleaved(used.commit, fresh.commit, pairs)
    _add(report, "P13", f"commit of 1,000 answers: {compared}", _GOAL_AFTER_MANY, commits)
    table = DeltaTable(used.tables.uri("responses"))
    files = len(table.file_uris())
    report.add("P13", "files after that", f"{files}", f"<= {_MOST_FILES}", met=files <= _MOST_FILES)
    table.optimize.compact()
    anew = AnswerIndex(directory / "anew", used.tables.uri("responses"))
    look_ups = interleaved(used.looker(), used.looker(anew), _LOOK_UPS)
    _add(report, "P13", f"look-up of 2,000 keys: {compared}", _GOAL_AFTER_MANY, look_ups)


def _beside_spark(directory: Path, job: _Job, pairs: int, report: Report) -> None:
    """From the spool, and with the look for other writers' answers, against a bare append."""
    spark = spark_session(SparkSettings(), "commits")
    try:
        append = _spark_append(spark, directory / "spark")
        commits = interleaved(job.commit, append, pairs)
    finally:
        spark.stop()
    what = "commit of 1,000 answers from the spool / Spark's append of 1,000"
    _add(report, "P12", what, _GOAL_BESIDE_SPARK, commits)


def _spark_append(spark: SparkSession, target: Path) -> Callable[[], float]:
    rows = spark.createDataFrame(responses_table(answers(0, _COMMITTED))).cache()
    rows.count()

    def append() -> float:
        began = time.monotonic()
        rows.write.format("delta").mode("append").save(str(target))
        return time.monotonic() - began

    return append


def _add(
    report: Report, goal: str, what: str, most: float, seconds: tuple[list[float], list[float]]
) -> None:
    mine, theirs = (1e3 * float(np.median(side)) for side in seconds)
    report.add_ratio(
        goal,
        f"{what}; {len(seconds[0])} pairs",
        ratio(*seconds),
        f"{mine:.1f} ms against {theirs:.1f} ms",
        most=most,
    )
