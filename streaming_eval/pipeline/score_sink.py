"""Commits one micro-batch of the score query: exactly once, in an order that survives a kill.

The paid answers come first, so nothing is ever paid for twice; the scores come last, so a batch
whose scores are there is done. A kill in between repeats the batch, and every step before the
kill then finds its work done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from streaming_eval.adapters.answer_store import AnswerStore
from streaming_eval.adapters.call_tally import TALLY
from streaming_eval.adapters.checkpoint import query_id
from streaming_eval.adapters.schemas import DEAD_LETTERS, SCORES
from streaming_eval.adapters.tables import Tables
from streaming_eval.pipeline.gate import Gate
from streaming_eval.pipeline.recent_samples import RecentSamples
from streaming_eval.pipeline.sample_hash import hash_ids
from streaming_eval.pipeline.score_steps import evaluated
from streaming_eval.pipeline.worker import BatchContext, ScorePlan, evaluate_partition

_SCHEMAS = {"scores": SCORES, "dead_letters": DEAD_LETTERS, "calls": TALLY}


@dataclass(frozen=True, slots=True)
class ScoredBatch:
    """What a micro-batch came to, for metrics and logs.

    Attributes:
        scores: rows committed; a repeated sample's are not among them.
        duplicates: samples dropped because they had been scored before.
        calls: rows of `TALLY`.
        seconds: from the start of the batch to its last commit.
    """

    batch_id: int
    scores: pa.Table
    dead_letters: pa.Table
    duplicates: int
    calls: pa.Table
    seconds: float


@dataclass(frozen=True, slots=True)
class ScoreOutlets:
    """Everything that a batch is written to."""

    tables: Tables
    answers: AnswerStore
    publish_dead_letters: Callable[[pa.Table], None]
    recent: RecentSamples
    observe: Callable[[ScoredBatch], None]


class ScoreSink:
    """The function given to `foreachBatch`.

    Args:
        plan: what workers do.
        outlets: where results go.
        checkpoint: of this query; its id is the application id of all commits.
        partitions: parallel tasks.
        gate: passed by every batch.
    """

    def __init__(
        self, plan: ScorePlan, outlets: ScoreOutlets, checkpoint: Path, partitions: int, gate: Gate
    ) -> None:
        self._plan, self._outlets, self._checkpoint = plan, outlets, checkpoint
        self._partitions, self._gate = partitions, gate

    def __call__(self, batch: DataFrame, batch_id: int) -> None:
        with self._gate.batch():
            if not self._outlets.tables.committed("scores", self._application, batch_id):
                self._commit(batch, batch_id)

    @cached_property
    def _application(self) -> str:
        return query_id(self._checkpoint)

    def _commit(self, batch: DataFrame, batch_id: int) -> None:
        began, out = time.monotonic(), self._outlets
        context = BatchContext(
            batch_id, out.tables.version("responses"), out.answers.directory(batch_id)
        )
        mapper = evaluate_partition(self._plan, context)
        tables = _unpacked(evaluated(batch, mapper, self._partitions).toArrow())
        scores, duplicates = self._without_duplicates(tables["scores"])
        out.answers.commit(batch_id)
        if not out.tables.committed("dead_letters", self._application, batch_id):
            # Kafka first: a kill in between repeats a message, which its headers identify; the
            # other order could lose one.
            out.publish_dead_letters(tables["dead_letters"])
        out.tables.append("dead_letters", tables["dead_letters"], self._application, batch_id)
        out.tables.append("scores", scores, self._application, batch_id)
        seconds = time.monotonic() - began
        out.observe(
            ScoredBatch(
                batch_id, scores, tables["dead_letters"], duplicates, tables["calls"], seconds
            )
        )
        out.tables.tend(("dead_letters", "scores"))
        out.answers.tend(time.time_ns() // 1_000_000)

    def _without_duplicates(self, scores: pa.Table) -> tuple[pa.Table, int]:
        """The scores of samples seen for the first time, and how many samples were repeats."""
        if not scores.num_rows:
            return scores, 0
        ids = hash_ids(scores["sample_id"].to_pylist())
        partition, offset = (scores[name].to_numpy() for name in ("partition", "offset"))
        # A sample's rows lie together; one that occurs twice in a batch counts at its first record.
        order = np.lexsort((offset, partition, ids))
        first = np.ones(len(order), np.bool_)
        first[1:] = ids[order][1:] != ids[order][:-1]
        leader = order[np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))]
        original = np.empty(len(order), np.bool_)
        original[order] = (partition[order] == partition[leader]) & (
            offset[order] == offset[leader]
        )
        keep = original & ~self._outlets.recent.known(ids)
        self._outlets.recent.remember(np.unique(ids), time.time_ns() // 1_000_000)
        records = np.unique(np.stack((partition, offset))[:, ~keep], axis=1).shape[1]
        return scores.filter(pa.array(keep)), records


def _unpacked(blobs: pa.Table) -> dict[str, pa.Table]:
    parts: dict[str, list[pa.Table]] = {kind: [] for kind in _SCHEMAS}
    for kind, payload in zip(
        *(blobs[name].to_pylist() for name in ("kind", "payload")), strict=True
    ):
        parts[kind].append(pa.ipc.open_stream(payload).read_all())
    return {kind: _concatenated(parts[kind], schema) for kind, schema in _SCHEMAS.items()}


def _concatenated(parts: Iterable[pa.Table], schema: pa.Schema) -> pa.Table:
    return pa.concat_tables([schema.empty_table(), *parts])
