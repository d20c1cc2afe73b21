"""What one Spark Python worker does with its share of a micro-batch.

The event loop, the HTTP sessions and the answer index live as long as the worker process; Spark
reuses workers, so connections stay warm from batch to batch. Rows leave as whole Arrow tables in
one binary column: the JVM moves a few blobs and never converts a row.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path

import pyarrow as pa
from pyspark import TaskContext

from streaming_eval.adapters.attempt_turn import AttemptTurn
from streaming_eval.adapters.worker_runtime import RuntimePlan, TaskCalls, runtime_for
from streaming_eval.errors import RecordError
from streaming_eval.formats.limits import Limits
from streaming_eval.formats.native import parse
from streaming_eval.inference.calls.batch_deadline import BatchLimits, batch_deadline
from streaming_eval.inference.calls.eager import results, started
from streaming_eval.inference.evaluate import EvaluationPlan, SampleScore, evaluate
from streaming_eval.inference.spending.books import BatchSpending
from streaming_eval.inference.spending.sampling import Draw, draw
from streaming_eval.pipeline.clusters import ClusterBy, cluster_of
from streaming_eval.pipeline.score_rows import Evaluated, dead_letters_table, scores_table
from streaming_eval.pipeline.unfinished import OWN_RATE, RECORD_COLUMNS, failures, unfinished_table
from streaming_eval.pipeline.worker_life import LifeLimits, worker_life
from streaming_eval.pipeline.worker_memory import spare_the_collector
from streaming_eval.records import DeadLetter, KafkaRecord, Sample

BLOBS = "kind string, payload binary"
_SCORES_PER_BLOB = 20_000
_PARSED_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class ScorePlan:
    """Everything a worker needs, as plain picklable values; secrets only by reference."""

    evaluation: EvaluationPlan
    runtime: RuntimePlan
    limits: Limits
    allowed_clock_skew_ms: int
    batches: BatchLimits
    life: LifeLimits
    clusters: ClusterBy = ClusterBy.NOTHING


@dataclass(frozen=True, slots=True)
class BatchContext:
    """Which micro-batch this is, how new the cache must be, and what may be spent.

    Attributes:
        spending: None where no budget limits anything.
    """

    batch_id: int
    responses_version: int
    spool: Path
    spending: BatchSpending | None = None


Mapper = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]


def evaluate_partition(plan: ScorePlan, context: BatchContext) -> Mapper:
    """The function given to `mapInArrow`: Kafka rows in, blobs out."""

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        given = [one for batch in batches for one in _given(batch)]
        if not given:
            return
        spare_the_collector()
        life = worker_life(plan.life.silence_s)
        runtime = runtime_for(plan.runtime)
        turn = AttemptTurn(context.spool, _task_number())
        task = runtime.task(context.responses_version, context.spool, context.spending)
        with turn, life.working(plan.life.work_s), task as calls, _no_collection():
            turn.confirm()
            draws = _Draws(plan.evaluation, context.spending)
            evaluated, letters = runtime.run(_evaluate_all(given, plan, draws, calls))
            calls.tally.add("samples", "", "unscored", sum(not e.scores for e in evaluated))
            blobs = list(_blobs(evaluated, letters, context.batch_id))
        yield from blobs
        yield _blob("calls", calls.tally.table())

    return run


def _task_number() -> int:
    task = TaskContext.get()
    return 0 if task is None else task.partitionId()  # without Spark there is one


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keeps the garbage collector from walking a batch's objects again and again as they grow."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class _Draws:
    """Which samples are asked about: at the rate of the batch, or at their own if that is lower."""

    def __init__(self, evaluation: EvaluationPlan, spending: BatchSpending | None) -> None:
        self._evaluation = evaluation
        self._limited = spending.limited if spending else frozenset[str]()
        self._rate = spending.rate if spending else 1.0
        self._draws: dict[float, Draw] = {}

    def at(self, own_rate: float) -> Draw:
        """That of a sample whose first batch asked about samples at this rate."""
        rate = min(self._rate, own_rate)
        drawn = self._draws.get(rate)
        if drawn is None:
            drawn = self._draws[rate] = draw(self._evaluation, self._limited, rate)
        return drawn


async def _evaluate_all(
    given: list[tuple[KafkaRecord, float]], plan: ScorePlan, draws: _Draws, calls: TaskCalls
) -> tuple[list[Evaluated], list[DeadLetter]]:
    """Parses and evaluates; the first requests are under way while later records are parsed."""
    letters: list[DeadLetter] = []
    parsed: list[tuple[KafkaRecord, Sample, Draw]] = []
    begun: list[asyncio.Future[list[SampleScore]] | list[SampleScore]] = []
    newest_ms = _now_ms() + plan.allowed_clock_skew_ms
    async with batch_deadline(calls.flights, plan.batches, asyncio.sleep):
        for start in range(0, len(given), _PARSED_AT_ONCE):
            with calls.looking_up():
                for record, own_rate in given[start : start + _PARSED_AT_ONCE]:
                    try:
                        sample = _clamped(parse(record.value, plan.limits), newest_ms)
                    except RecordError as error:
                        letters.append(DeadLetter(record, error.reason, error.message))
                        continue
                    drawn = draws.at(own_rate)
                    parsed.append((record, sample, drawn))
                    begun.append(started(evaluate(*drawn.prepared(sample), calls.endpoints)))
            await asyncio.sleep(0)
        scores = await results(begun)
    return [
        Evaluated(
            record, sample, rows, _weights(sample, rows, drawn), cluster_of(sample, plan.clusters)
        )
        for (record, sample, drawn), rows in zip(parsed, scores, strict=True)
    ], letters


def _weights(sample: Sample, rows: list[SampleScore], drawn: Draw) -> list[float]:
    """1 divided by the probability that the score is there: that of its sample, and of its call.

    A score of an anchor stands for itself alone.
    """
    return [
        1.0 if row.anchor_id else 1.0 / (sample.sampling_fraction * drawn.probability(row))
        for row in rows
    ]


def _clamped(sample: Sample, newest_ms: int) -> Sample:
    """An event from the future would push the watermark and make honest samples late."""
    if sample.event_time_ms <= newest_ms:
        return sample
    return replace(sample, event_time_ms=newest_ms)


def _blobs(
    evaluated: list[Evaluated], letters: list[DeadLetter], batch_id: int
) -> Iterator[pa.RecordBatch]:
    now_ms = _now_ms()
    for part in _chunks(evaluated):
        yield _blob("scores", scores_table(part, batch_id, now_ms))
    if unfinished := failures(evaluated):
        yield _blob("unfinished", unfinished_table(unfinished))
    if letters:
        yield _blob("dead_letters", dead_letters_table(letters, batch_id, now_ms))


def _given(batch: pa.RecordBatch) -> Iterator[tuple[KafkaRecord, float]]:
    """Records, each with the sampling rate of its first batch if that was an earlier one."""
    columns = batch.to_pydict()
    records = map(KafkaRecord, *(columns[name] for name in RECORD_COLUMNS))
    return zip(records, columns.get(OWN_RATE, repeat(1.0)), strict=False)


def _chunks(evaluated: list[Evaluated]) -> Iterator[list[Evaluated]]:
    part: list[Evaluated] = []
    n = 0
    for one in evaluated:
        part.append(one)
        n += len(one.scores)
        if n >= _SCORES_PER_BLOB:
            yield part
            part, n = [], 0
    if part:
        yield part


def _blob(kind: str, table: pa.Table) -> pa.RecordBatch:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    payload = sink.getvalue().to_pybytes()
    return pa.RecordBatch.from_pydict(
        {"kind": pa.array([kind]), "payload": pa.array([payload], pa.binary())}
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
