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
from pathlib import Path

import pyarrow as pa

from streaming_eval.adapters.worker_runtime import BatchCalls, RuntimePlan, runtime_for
from streaming_eval.errors import RecordError
from streaming_eval.formats.limits import Limits
from streaming_eval.formats.native import parse
from streaming_eval.inference.evaluate import EvaluationPlan, SampleScore, evaluate
from streaming_eval.pipeline.score_rows import Evaluated, dead_letters_table, scores_table
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


@dataclass(frozen=True, slots=True)
class BatchContext:
    """Which micro-batch this is, and how new the cache must be."""

    batch_id: int
    responses_version: int
    spool: Path


Mapper = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]


def evaluate_partition(plan: ScorePlan, context: BatchContext) -> Mapper:
    """The function given to `mapInArrow`: Kafka rows in, blobs out."""

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        records = [record for batch in batches for record in _records(batch)]
        if not records:
            return
        spare_the_collector()
        runtime = runtime_for(plan.runtime)
        with runtime.batch(context.responses_version, context.spool) as calls, _no_collection():
            evaluated, letters = runtime.run(_evaluate_all(records, plan, calls))
            calls.tally.add("samples", "", "unscored", sum(not e.scores for e in evaluated))
            blobs = list(_blobs(evaluated, letters, context.batch_id))
        yield from blobs
        yield _blob("calls", calls.tally_table())

    return run


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keeps the garbage collector from walking a batch's objects again and again as they grow."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def _evaluate_all(
    records: list[KafkaRecord], plan: ScorePlan, calls: BatchCalls
) -> tuple[list[Evaluated], list[DeadLetter]]:
    """Parses and evaluates; the first requests are under way while later records are parsed."""
    letters: list[DeadLetter] = []
    parsed: list[tuple[KafkaRecord, Sample]] = []
    tasks: list[asyncio.Task[list[SampleScore]]] = []
    newest_ms = _now_ms() + plan.allowed_clock_skew_ms
    for number, record in enumerate(records):
        if number % _PARSED_AT_ONCE == 0:
            await asyncio.sleep(0)
        try:
            sample = _clamped(parse(record.value, plan.limits), newest_ms)
        except RecordError as error:
            letters.append(DeadLetter(record, error.reason, error.message))
            continue
        parsed.append((record, sample))
        tasks.append(asyncio.ensure_future(evaluate(sample, plan.evaluation, calls.endpoints)))
    scores = await asyncio.gather(*tasks)
    return [
        Evaluated(record, sample, rows)
        for (record, sample), rows in zip(parsed, scores, strict=True)
    ], letters


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
    if letters:
        yield _blob("dead_letters", dead_letters_table(letters, batch_id, now_ms))


def _records(batch: pa.RecordBatch) -> Iterator[KafkaRecord]:
    columns = batch.to_pydict()
    return map(
        KafkaRecord,
        columns["topic"],
        columns["partition"],
        columns["offset"],
        columns["timestamp_ms"],
        columns["key"],
        columns["value"],
    )


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
