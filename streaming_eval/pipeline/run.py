"""The job: both queries, their exporter and their orderly end."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

from pyspark.errors import StreamingQueryException
from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from streaming_eval.adapters.checkpoint import heal, lease
from streaming_eval.adapters.exporter import Exporter
from streaming_eval.pipeline import monitor_query, score_query
from streaming_eval.pipeline.gate import Gate
from streaming_eval.pipeline.session import spark_session
from streaming_eval.pipeline.wiring import Job
from streaming_eval.settings import Settings

_LOG = logging.getLogger(__name__)
_POLL_S = 0.5
_DRAIN_S = 150.0


def run(
    settings: Settings,
    *,
    stop_after_idle_s: float | None = None,
    max_runtime_s: float | None = None,
) -> int:
    """Runs the job until it is told to stop (SIGTERM, SIGINT) or a query fails.

    Args:
        settings: the whole configuration.
        stop_after_idle_s: end once both queries have had nothing to do for so long.
        max_runtime_s: end after so long in any case.

    Returns:
        The exit code: 0 after an orderly end, 1 after a failure, which is logged.
    """
    with ExitStack() as stack:
        stop = stack.enter_context(_signals())
        stack.enter_context(lease(settings.storage.root))
        job = Job(settings)
        for name in (score_query.QUERY, monitor_query.QUERY):
            for orphan in heal(job.checkpoint(name)):
                _LOG.warning("removed %s, left behind by a kill before the first batch", orphan)
        exporter = stack.enter_context(_serving(job.exporter))
        job.recover()
        stack.enter_context(job.serving_quota())
        spark = spark_session(settings.spark, settings.job)
        stack.callback(spark.stop)
        queries = job.start(spark)
        exporter.mark_ready()
        _LOG.info("running; metrics on http://%s:%d", settings.exporter.host, exporter.port)
        lag = job.lag_watch(queries[0])
        lag.start()
        stack.callback(lag.stop)
        job.retries.start()
        stack.callback(job.retries.stop)
        watch = _Watch(queries, job, stop_after_idle_s, max_runtime_s)
        code = watch.until_over(stop)
        _drain(spark, queries, job.gate)
        return code


class _Watch:
    """Follows the running queries, of which one that is started anew takes its old place."""

    def __init__(
        self,
        queries: list[StreamingQuery],
        job: Job,
        stop_after_idle_s: float | None,
        max_runtime_s: float | None,
    ) -> None:
        self._queries, self._job = queries, job
        self._idle_limit_s, self._ends_at = stop_after_idle_s, None
        self._busy_at = time.monotonic()
        if max_runtime_s is not None:
            self._ends_at = time.monotonic() + max_runtime_s

    def until_over(self, stop: threading.Event) -> int:
        """Waits for a reason to end; 1 when it is a failed query."""
        while not stop.wait(_POLL_S):
            for place, query in enumerate(self._queries):
                if query.isActive:
                    continue
                again = self._job.revival.again(query)
                if again is None:
                    return _failure(query)
                self._queries[place] = again
            if self._job.retries.error is not None:
                _LOG.error("waiting samples are not tried again: %s", self._job.retries.error)
                return 1
            if self._over():
                break
        return 0

    def _over(self) -> bool:
        now = time.monotonic()
        if self._ends_at is not None and now >= self._ends_at:
            return True
        # A batch may outlast the limit: at work is not idle.
        if self._job.pending or any(query.status["isDataAvailable"] for query in self._queries):
            self._busy_at = now
        idle_since = max(self._job.last_batch_at, self._busy_at)
        return self._idle_limit_s is not None and now - idle_since >= self._idle_limit_s


def _failure(query: StreamingQuery) -> int:
    error = query.exception()
    _LOG.error("the %s query ended: %s", query.name, _cause(error))
    return 1


def _cause(error: StreamingQueryException | None) -> str:
    if error is None:
        return "it was stopped from outside"
    lines = str(error).splitlines()
    ours = [line for line in lines if "streaming_eval.errors." in line]
    return (ours[-1] if ours else lines[0]).strip()


def _drain(spark: SparkSession, queries: list[StreamingQuery], gate: Gate) -> None:
    """Lets the batches under way commit, then stops: nothing is cut off, nothing repeated."""
    # A batch that is turned away at the gate ends its query with an exception that Spark and py4j
    # would print at length.
    spark.sparkContext.setLogLevel("OFF")
    logging.getLogger("py4j").setLevel(logging.CRITICAL)
    if not gate.shut(_DRAIN_S):
        _LOG.warning("a batch did not end within %g s and is repeated at the next start", _DRAIN_S)
    for query in queries:
        _settle(query)
        query.stop()


def _settle(query: StreamingQuery, timeout_s: float = 5.0) -> None:
    """Waits until the query has written its commit and is between two triggers."""
    ends_at = time.monotonic() + timeout_s
    while time.monotonic() < ends_at and query.isActive and query.status["isTriggerActive"]:
        time.sleep(0.02)


@contextmanager
def _serving(exporter: Exporter) -> Iterator[Exporter]:
    exporter.start()
    try:
        yield exporter
    finally:
        exporter.stop()


@contextmanager
def _signals() -> Iterator[threading.Event]:
    stop = threading.Event()

    def asked(number: int, frame: FrameType | None) -> None:
        stop.set()

    previous = {s: signal.signal(s, asked) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
