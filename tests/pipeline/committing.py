"""A score sink on real tables, with what workers would return handed in: no Spark is needed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
from pyspark.sql import DataFrame

from streaming_eval.adapters.answer_index import AnswerIndex
from streaming_eval.adapters.answer_store import AnswerStore
from streaming_eval.adapters.batch_rate import BatchRate
from streaming_eval.adapters.pending_records import PendingRecords
from streaming_eval.adapters.spending_metrics import SpendingMetrics
from streaming_eval.adapters.tables import Tables
from streaming_eval.adapters.worker_runtime import RuntimePlan
from streaming_eval.formats.limits import Limits
from streaming_eval.inference.cache.with_cache import CachePolicy
from streaming_eval.inference.calls.batch_deadline import BatchLimits
from streaming_eval.inference.evaluate import EvaluationPlan
from streaming_eval.inference.requeue import RequeueLimits
from streaming_eval.inference.spending.books import Treasury
from streaming_eval.inference.spending.budget import AtCap
from streaming_eval.inference.spending.ledger import Ledger
from streaming_eval.inference.spending.price import Prices
from streaming_eval.pipeline.clusters import with_first_of_cluster
from streaming_eval.pipeline.gate import Gate
from streaming_eval.pipeline.purchases import Purchases
from streaming_eval.pipeline.recent_samples import RecentSamples
from streaming_eval.pipeline.score_rows import dead_letters_table
from streaming_eval.pipeline.score_sink import ScoredBatch, ScoreOutlets, ScoreSink, SinkLimits
from streaming_eval.pipeline.worker import ScorePlan
from streaming_eval.pipeline.worker_life import LifeLimits
from streaming_eval.pipeline.workers import Workers
from streaming_eval.records import DeadLetter, KafkaRecord
from tests.pipeline.scored import score_row, score_table

PARTITIONS = 2
PLAN = ScorePlan(
    EvaluationPlan((), (), {}),
    RuntimePlan((), CachePolicy.OFF, "", ""),
    Limits(1, 1, 1, 1),
    0,
    BatchLimits(60.0, 5.0, 0.0, 0.1, None),
    LifeLimits(60.0, 600.0),
)
LIMITS = SinkLimits(
    1_000,
    5,
    RequeueLimits(max_tries=2, first_pause_ms=0, longest_pause_ms=0, call_ms=60_000),
)
Record = tuple[str, int, int]  # sample id, partition, offset


def scored(*records: Record) -> pa.Table:
    """Two scores for each record, as a worker makes them: side by side."""
    return score_table(
        score_row(sample_id, partition=partition, offset=offset, model=model)
        for sample_id, partition, offset in records
        for model in ("assistant", "small")
    )


def rejected(*offsets: int) -> pa.Table:
    letters = [DeadLetter(KafkaRecord("t", 0, n, 0, None, b"?"), "empty", "") for n in offsets]
    return dead_letters_table(letters, 0, 0)


class RecordingTables(Tables):
    """Real tables that write down the order of what is appended."""

    def __init__(self, root: Path, log: list[str]) -> None:
        super().__init__(root)
        self.log = log

    def append(self, name: str, rows: pa.Table, app_id: str, version: int) -> bool:
        self.log.append(name)
        return super().append(name, rows, app_id, version)

    def append_untracked(self, name: str, rows: pa.Table) -> None:
        self.log.append(name)
        super().append_untracked(name, rows)


class Killed(BaseException):
    """The process ends here."""


class Job:
    """One process's sink on a storage root that outlives it."""

    def __init__(self, root: Path, kill_at: str = "") -> None:
        (root / "checkpoint").mkdir(exist_ok=True)
        (root / "checkpoint" / "metadata").write_text(json.dumps({"id": "query-1"}))
        self.log: list[str] = []
        self.kill_at = kill_at
        self.seen: list[ScoredBatch] = []
        self.published: list[int] = []
        self.tables = RecordingTables(root, self.log)
        index = AnswerIndex(root / "index", self.tables.uri("responses"))
        self.answers = AnswerStore(self.tables, root / "spool", index)
        self.answers.sweep()
        self.log.clear()
        self.gate = Gate()
        self.pending = PendingRecords(self.tables, LIMITS.requeue)
        self.pending.load()
        self.clusters = RecentSamples(3_600_000)
        outlets = ScoreOutlets(
            self.tables,
            self.answers,
            self.pending,
            self._publish,
            RecentSamples(3_600_000),
            partial(with_first_of_cluster, recent=self.clusters, pane_ms=60_000, now_ms=0),
            self._observe,
        )
        workers = Workers(PLAN, PARTITIONS, self.tables, self.answers)
        purchases = purchases_without_budgets(root, self.gate)
        self.sink = ScoreSink(workers, purchases, outlets, root / "checkpoint", self.gate, LIMITS)

    def rows(self, name: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.tables.read(name).to_pylist()
        return rows

    def _publish(self, letters: pa.Table) -> None:
        self.log.append("publish")
        self.published += letters["offset"].to_pylist()
        if self.kill_at == "publish":
            raise Killed

    def _observe(self, batch: ScoredBatch) -> None:
        self.log.append("observe")
        self.seen.append(batch)


def purchases_without_budgets(root: Path, gate: Gate) -> Purchases:
    treasury = Treasury((), Prices(), AtCap.STOP, PARTITIONS, {})
    rates = BatchRate(root / "checkpoint" / "rate.json")
    return Purchases(treasury, Ledger(), rates=rates, gate=gate, metrics=SpendingMetrics())


@dataclass
class Work:
    """What the workers of a batch would return; it counts how often they were asked."""

    tables: Sequence[tuple[str, pa.Table]]
    asked: int = 0

    def toArrow(self) -> pa.Table:  # noqa: N802 - Spark's name
        self.asked += 1
        payloads = []
        for _, table in self.tables:
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, table.schema) as writer:
                writer.write_table(table)
            payloads.append(sink.getvalue().to_pybytes())
        kinds = [kind for kind, _ in self.tables]
        return pa.table({"kind": kinds, "payload": pa.array(payloads, pa.binary())})


def run(job: Job, batch_id: int, *tables: tuple[str, pa.Table]) -> Work:
    work = Work(tables)
    job.sink(cast("DataFrame", work), batch_id)
    return work


def kept(job: Job) -> Counter[Record]:
    return Counter((r["sample_id"], r["partition"], r["offset"]) for r in job.rows("scores"))
