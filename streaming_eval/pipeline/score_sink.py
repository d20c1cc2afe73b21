"""Commits one batch of scores: exactly once, in an order that survives a kill.

The paid answers come first, so nothing is ever paid for twice; then what goes on waiting; the
scores come last, so a batch whose scores are there is done. A kill in between repeats the batch,
and every step before the kill then finds its work done.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from streaming_eval.adapters.answer_store import AnswerStore
from streaming_eval.adapters.batch_size import batch_records
from streaming_eval.adapters.checkpoint import query_id
from streaming_eval.adapters.pending_records import PendingRecords
from streaming_eval.adapters.schemas import RESPONSES
from streaming_eval.adapters.tables import Tables
from streaming_eval.inference.requeue import Pending, Place, RequeueLimits, Verdict, verdict
from streaming_eval.inference.spending.books import BatchSpending
from streaming_eval.pipeline.first_scores import first_scores, without_held
from streaming_eval.pipeline.gate import Gate
from streaming_eval.pipeline.purchases import Purchases, Worked
from streaming_eval.pipeline.recent_samples import RecentSamples
from streaming_eval.pipeline.unfinished import by_place, retries_table
from streaming_eval.pipeline.workers import Workers

_LOOKS_EVERY_S = 1.0
_NOBODY: Mapping[Place, Pending] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ScoredBatch:
    """What a micro-batch came to, for metrics and logs.

    Attributes:
        scores: rows committed; a repeated sample's are not among them.
        duplicates: samples dropped because they had been scored before.
        calls: rows of `TALLY`.
        seconds: from the start of the batch to its last commit.
        requeued: samples that wait for a later batch, of this one.
        pending: samples that wait, of all batches.
    """

    batch_id: int
    scores: pa.Table
    dead_letters: pa.Table
    duplicates: int
    calls: pa.Table
    seconds: float
    requeued: int
    pending: int


@dataclass(frozen=True, slots=True)
class ScoreOutlets:
    """Everything that a batch is written to.

    Attributes:
        clusters: says which new scores are the first of their cluster.
    """

    tables: Tables
    answers: AnswerStore
    pending: PendingRecords
    publish_dead_letters: Callable[[pa.Table], None]
    recent: RecentSamples
    clusters: Callable[[pa.Table], pa.Table]
    observe: Callable[[ScoredBatch], None]


@dataclass(frozen=True, slots=True)
class SinkLimits:
    """How much there may be at once.

    Attributes:
        records: in a batch.
        pending: samples that wait; when there are more, no new batch is begun.
        requeue: how long and how often they wait.
    """

    records: int
    pending: int
    requeue: RequeueLimits


class ScoreSink:
    """The function given to `foreachBatch`, and what tries waiting samples again.

    Args:
        workers: evaluate records.
        purchases: pay for it.
        outlets: where results go.
        checkpoint: of this query; its id is the application id of all commits.
        gate: passed by every batch.
        limits: how much there may be at once.
    """

    def __init__(
        self,
        workers: Workers,
        purchases: Purchases,
        outlets: ScoreOutlets,
        checkpoint: Path,
        gate: Gate,
        limits: SinkLimits,
    ) -> None:
        self._workers, self._purchases, self._outlets = workers, purchases, outlets
        self._checkpoint, self._gate, self._limits = checkpoint, gate, limits
        self._turn = threading.Lock()  # the two kinds of batches take turns
        self._resumed = False
        self._answers = RESPONSES.empty_table()  # of the pass that ended last

    def __call__(self, batch: DataFrame, batch_id: int) -> None:
        with self._gate.batch(), self._turn:
            while len(self._outlets.pending) >= self._limits.pending:
                if not self._retried(batch.sparkSession):
                    self._gate.pause(_LOOKS_EVERY_S)
            if not self._outlets.tables.committed("scores", self._application, batch_id):
                self._commit_fresh(batch, batch_id)

    def retry(self, spark: SparkSession) -> bool:
        """Tries the samples again whose time has come; whether there were any."""
        with self._gate.batch(), self._turn:
            return self._retried(spark)

    @cached_property
    def _application(self) -> str:
        return query_id(self._checkpoint)

    @property
    def _retries(self) -> str:
        """The application id of batches of samples that have waited."""
        return f"{self._application}/retries"

    def _retried(self, spark: SparkSession) -> bool:
        out = self._outlets
        late = out.answers.commit_late()
        self._purchases.book(late)
        out.pending.answered(late["cache_key"].to_pylist())
        if not self._resumed:
            self._resume(spark)
        self._resumed = True
        taken = out.pending.due(_now_ms(), self._limits.records)
        if taken:
            done = (out.tables.newest(name, self._retries) for name in ("pending", "scores"))
            self._commit_retries(spark, max(done) + 1, taken)
        return bool(taken)

    def _resume(self, spark: SparkSession) -> None:
        """Repeats the batch of waiting samples that a kill has interrupted, if it has."""
        interrupted = self._outlets.pending.interrupted(self._retries)
        if interrupted is not None and interrupted[1]:
            self._commit_retries(spark, *interrupted)

    def _commit_fresh(self, batch: DataFrame, batch_id: int) -> None:
        began = time.monotonic()
        records = batch_records(self._checkpoint, batch_id, self._limits.records)
        tables, rate = self._purchases.batch(
            batch_id,
            records,
            lambda spending: self._worked(batch, batch_id, batch_id, spending),
        )
        self._commit(tables, (self._application, batch_id), _NOBODY, rate, began)

    def _commit_retries(
        self, spark: SparkSession, batch_id: int, taken: Mapping[Place, Pending]
    ) -> None:
        began = time.monotonic()
        records = spark.createDataFrame(retries_table(taken))
        tables = self._purchases.repeat(
            lambda spending: self._worked(records, batch_id, f"retry-{batch_id}", spending)
        )
        self._commit(tables, (self._retries, batch_id), taken, 1.0, began)

    def _worked(
        self, records: DataFrame, batch_id: int, spool: int | str, spending: BatchSpending
    ) -> Worked:
        worked = self._workers.work(records, batch_id, spool, spending)
        self._answers = worked.answers
        return worked

    def _commit(
        self,
        tables: Mapping[str, pa.Table],
        batch: tuple[str, int],
        taken: Mapping[Place, Pending],
        rate: float,
        began: float,
    ) -> None:
        out = self._outlets
        decided = self._decided(tables["unfinished"], batch, taken, rate)
        new = without_held(tables["scores"], decided.held)
        scores, duplicates = first_scores(new, out.recent)
        scores = out.clusters(scores)
        letters = tables["dead_letters"]
        if not out.tables.committed("dead_letters", *batch):
            # Kafka first: a kill in between repeats a message, which its headers identify; the
            # other order could lose one.
            out.publish_dead_letters(letters)
        out.tables.append("dead_letters", letters, *batch)
        out.tables.append("scores", scores, *batch)
        seconds, calls = time.monotonic() - began, tables["calls"]
        requeued = sum(not e.settled for e in decided.entries)
        out.observe(
            ScoredBatch(
                batch[1], scores, letters, duplicates, calls, seconds, requeued, len(out.pending)
            )
        )
        out.tables.tend(("dead_letters", "scores"))
        out.pending.tend()
        out.answers.tend(_now_ms())

    def _decided(
        self,
        unfinished: pa.Table,
        batch: tuple[str, int],
        taken: Mapping[Place, Pending],
        rate: float,
    ) -> Verdict:
        """Who goes on waiting: as an earlier attempt has decided, if there was one."""
        pending = self._outlets.pending
        earlier = pending.earlier(*batch)
        if earlier is not None:
            return earlier
        failed, now_ms = by_place(unfinished), _now_ms()
        decided = verdict(failed, taken, now_ms, self._limits.requeue, rate)
        pending.commit(decided, failed, *batch, now_ms)
        if decided.held:  # an answer may have come just after its call was given up
            pending.answered(self._answers["cache_key"].to_pylist())
        return decided


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
