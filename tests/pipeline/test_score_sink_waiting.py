"""Samples that lack an answer: put off, tried again, and scored exactly once through any kill."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from streaming_eval.adapters.spool import SpoolWriter
from streaming_eval.inference.cache.paid_answer import PaidAnswer
from streaming_eval.inference.requeue import Failure
from streaming_eval.pipeline import workers
from streaming_eval.pipeline.gate import Draining
from streaming_eval.pipeline.unfinished import unfinished_table
from streaming_eval.pipeline.worker import BatchContext, Mapper, ScorePlan
from streaming_eval.records import KafkaRecord
from tests.adapters.paid import paid
from tests.pipeline.committing import LIMITS, Job, Killed, Work, kept, run, scored

A, B, C = ("a", 0, 1), ("b", 0, 2), ("c", 0, 3)
Record = tuple[str, int, int]
Told = list[BatchContext]


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """Puts `Work` in the place of Spark; gives what each batch's workers are told."""
    contexts: Told = []

    def evaluated(batch: object, mapper: Mapper, partitions: int) -> object:
        return batch

    def evaluate_partition(plan: ScorePlan, context: BatchContext) -> Callable[..., object]:
        contexts.append(context)
        return iter

    monkeypatch.setattr(workers, "evaluated", evaluated)
    monkeypatch.setattr(workers, "evaluate_partition", evaluate_partition)
    return contexts


def unfinished(*records: Record, reason: str = "timeout", awaited: str = "") -> pa.Table:
    keys = (awaited,) if awaited else ()
    return unfinished_table(
        [
            Failure(KafkaRecord("samples", partition, offset, 7, None, name.encode()), reason, keys)
            for name, partition, offset in records
        ]
    )


class Spark:
    """What makes a batch of waiting samples: it gives what the workers return, and keeps count."""

    def __init__(self, *tables: tuple[str, pa.Table]) -> None:
        self.tables = tables
        self.given: list[list[dict[str, Any]]] = []

    def createDataFrame(self, rows: pa.Table) -> Work:  # noqa: N802 - Spark's name
        self.given.append(rows.to_pylist())
        return Work(self.tables)


def retry(job: Job, *tables: tuple[str, pa.Table]) -> Spark:
    spark = Spark(*tables)
    job.sink.retry(cast("SparkSession", spark))
    return spark


def put_off(job: Job, reason: str = "timeout", awaited: str = "") -> None:
    """A batch of which `b` is put off."""
    run(
        job,
        0,
        ("scores", scored(A, B)),
        ("unfinished", unfinished(B, reason=reason, awaited=awaited)),
    )


def test_a_sample_that_lacks_an_answer_waits_and_is_scored_when_it_has_it(tmp_path: Path) -> None:
    job = Job(tmp_path)
    put_off(job)
    assert kept(job) == {A: 2}
    assert (job.seen[0].requeued, job.seen[0].pending) == (1, 1)
    spark = retry(job, ("scores", scored(B)))
    ((row,),) = spark.given
    assert (row["offset"], row["value"], row["sampling_rate"]) == (2, b"b", 1.0)
    assert kept(job) == {A: 2, B: 2}
    assert (job.seen[1].requeued, job.seen[1].pending) == (0, 0)
    assert retry(job).given == []


def test_after_its_last_try_it_is_scored_as_it_is(tmp_path: Path) -> None:
    job = Job(tmp_path)
    put_off(job)
    retry(job, ("scores", scored(B)), ("unfinished", unfinished(B)))
    assert kept(job) == {A: 2, B: 2}
    assert len(job.pending) == 0


def test_a_sample_that_nobody_was_asked_about_waits_as_often_as_need_be(tmp_path: Path) -> None:
    job = Job(tmp_path)
    put_off(job, "not_begun")
    for _ in range(5):
        tables = ("scores", scored(B)), ("unfinished", unfinished(B, reason="not_begun"))
        assert retry(job, *tables).given
    assert (kept(job), len(job.rows("pending"))) == ({A: 2}, 1)
    retry(job, ("scores", scored(B)))
    assert kept(job) == {A: 2, B: 2}


def test_what_waits_outlives_the_job(tmp_path: Path) -> None:
    put_off(Job(tmp_path))
    again = Job(tmp_path)
    assert len(again.pending) == 1
    retry(again, ("scores", scored(B)))
    assert kept(again) == {A: 2, B: 2}


@pytest.mark.parametrize("kill_at", ["pending", "dead_letters", "scores"])
def test_a_kill_in_a_batch_that_puts_off_neither_loses_nor_repeats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill_at: str
) -> None:
    killed = Job(tmp_path)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        _die_at(killed, kill_at, patch)
        put_off(killed)
    again = Job(tmp_path)
    run(again, 0, ("scores", scored(A, B)))  # all answers have come meanwhile
    retry(again, ("scores", scored(B)))
    assert kept(again) == {A: 2, B: 2}


@pytest.mark.parametrize("kill_at", ["pending", "dead_letters", "scores"])
def test_a_kill_in_a_batch_of_retries_neither_loses_nor_repeats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill_at: str
) -> None:
    killed = Job(tmp_path)
    put_off(killed)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        _die_at(killed, kill_at, patch)
        retry(killed, ("scores", scored(B)))
    again = Job(tmp_path)
    for _ in range(2):
        retry(again, ("scores", scored(B)))
    assert kept(again) == {A: 2, B: 2}
    assert len(again.pending) == 0


def test_a_late_answer_ends_the_wait(tmp_path: Path) -> None:
    job = Job(tmp_path)
    run(job, 0, ("unfinished", unfinished(C, reason="timeout")))
    retry(job, ("scores", scored(C)))
    slow = LIMITS.requeue.call_ms
    assert slow == 60_000
    answer = paid("Why?")
    put_off_number_1(job, answer.cache_key)
    assert retry(job).given == [], "it may still be under way"
    late = job.answers.directory("x").parent / "late"
    _spool(late, answer)
    assert len(retry(job, ("scores", scored(B))).given) == 1
    assert kept(job) == {C: 2, A: 2, B: 2}


def test_an_answer_that_came_just_after_its_call_was_given_up_ends_the_wait_too(
    tmp_path: Path,
) -> None:
    job, answer = Job(tmp_path), paid("Why?")
    _spool(job.answers.directory(0), answer)
    put_off(job, "batch_deadline", answer.cache_key)
    assert len(retry(job, ("scores", scored(B))).given) == 1
    assert kept(job) == {A: 2, B: 2}


def put_off_number_1(job: Job, awaited: str) -> None:
    tables = unfinished(B, reason="batch_deadline", awaited=awaited)
    run(job, 1, ("scores", scored(A, B)), ("unfinished", tables))


def test_no_batch_begins_while_too_many_wait(tmp_path: Path) -> None:
    job = Job(tmp_path)
    many = [("w", 0, offset) for offset in range(LIMITS.pending)]
    run(job, 0, ("unfinished", unfinished(*many, awaited="a key")))
    fresh = Work([("scores", scored(A))])
    cast("Any", fresh).sparkSession = Spark()
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        raise Draining

    job.gate.pause = pause  # type: ignore[method-assign]
    with pytest.raises(Draining):
        job.sink(cast("Any", fresh), 1)
    assert (fresh.asked, len(pauses)) == (0, 1)


def _spool(directory: Path, answer: PaidAnswer) -> None:

    with SpoolWriter(directory / "1.spool") as spool:
        spool.append(answer)


def _die_at(job: Job, table: str, patch: pytest.MonkeyPatch) -> None:
    """Kills before the table is written: what was written before it is there."""
    written = job.tables.append

    def append(name: str, *rest: Any) -> bool:  # noqa: ANN401
        if name == table:
            raise Killed
        return written(name, *rest)

    patch.setattr(job.tables, "append", append)
