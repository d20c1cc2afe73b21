"""The job with a clock at its seams: one line of JSON per micro-batch of the score query.

`python -m benchmarks.traced_job TRACE --config ...`, else as `streaming-eval run`.
"""

from __future__ import annotations

import functools
import json
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

from pyspark.sql import SparkSession
from pyspark.sql.classic.dataframe import DataFrame
from pyspark.sql.streaming.listener import (
    QueryProgressEvent,
    QueryStartedEvent,
    QueryTerminatedEvent,
    StreamingQueryListener,
)
from pyspark.sql.streaming.query import StreamingQuery

from streaming_eval.adapters.answer_store import AnswerStore
from streaming_eval.adapters.tables import Tables
from streaming_eval.cli import app
from streaming_eval.pipeline import score_query
from streaming_eval.pipeline.score_sink import ScoreSink
from streaming_eval.pipeline.wiring import Job

P = ParamSpec("P")
T = TypeVar("T")
# What is timed, and as what; only inside a batch of the score query, and outermost calls only.
_SEAMS = (
    (DataFrame, "toArrow", "workers"),
    (AnswerStore, "commit", "commit of answers"),
    (Tables, "append", "commit of scores"),
    (Tables, "committed", "look for an earlier commit"),
    (Tables, "version", "look for the newest answers"),
    (Tables, "tend", "upkeep"),
    (AnswerStore, "tend", "upkeep"),
)


class _Trace(StreamingQueryListener):
    """Writes what Spark says of each batch, and what our part of it was spent on."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", buffering=1)
        self._thread = threading.local()

    def batch(self, call: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(call)
        def timed(sink: ScoreSink, batch: DataFrame, batch_id: int) -> None:
            seconds = self._thread.seconds = defaultdict(float)
            with self._phase("all"):
                self._thread.inside = False
                call(sink, batch, batch_id)
            self._thread.seconds = None
            self._write({"batch": batch_id, "seconds": seconds})

        return timed

    def seam(self, name: str, call: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(call)
        def timed(*args: P.args, **kwargs: P.kwargs) -> T:
            with self._phase(name):
                return call(*args, **kwargs)

        return timed

    def started(self, call: Callable[..., list[StreamingQuery]]) -> Callable[..., object]:
        @functools.wraps(call)
        def listening(job: Job, spark: SparkSession) -> list[StreamingQuery]:
            spark.streams.addListener(self)
            return call(job, spark)

        return listening

    def onQueryStarted(self, event: QueryStartedEvent) -> None:  # noqa: N802 - Spark's name
        pass

    def onQueryProgress(self, event: QueryProgressEvent) -> None:  # noqa: N802 - Spark's name
        if event.progress.name == score_query.QUERY:
            progress = event.progress
            self._write(
                {
                    "batch": progress.batchId,
                    "samples": progress.numInputRows,
                    "spark_ms": progress.durationMs,
                }
            )

    def onQueryTerminated(self, event: QueryTerminatedEvent) -> None:  # noqa: N802 - Spark's name
        pass

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        seconds = getattr(self._thread, "seconds", None)
        if seconds is None or getattr(self._thread, "inside", False):
            yield
            return
        self._thread.inside, began = True, time.monotonic()
        try:
            yield
        finally:
            self._thread.inside = False
            seconds[name] += time.monotonic() - began

    def _write(self, line: object) -> None:
        self._file.write(json.dumps(line) + "\n")


def main() -> None:
    """Runs the job."""
    trace = _Trace(Path(sys.argv[1]))
    setattr(ScoreSink, "__call__", trace.batch(ScoreSink.__call__))  # noqa: B010 - by name, as below
    setattr(Job, "start", trace.started(Job.start))  # noqa: B010
    for owner, method, name in _SEAMS:
        setattr(owner, method, trace.seam(name, getattr(owner, method)))
    app(["run", *sys.argv[2:]])


if __name__ == "__main__":
    main()
