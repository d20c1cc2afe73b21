"""The commit of a micro-batch: once, in an order that survives a kill."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st
from pyspark.sql import DataFrame

from streaming_eval.adapters.call_tally import CallTally
from streaming_eval.adapters.spool import SpoolWriter
from streaming_eval.pipeline import workers
from streaming_eval.pipeline.first_scores import first_scores
from streaming_eval.pipeline.gate import Draining
from streaming_eval.pipeline.recent_samples import RecentSamples
from streaming_eval.pipeline.worker import BatchContext, Mapper, ScorePlan
from tests.adapters.paid import paid
from tests.pipeline.committing import (
    PARTITIONS,
    PLAN,
    Job,
    Killed,
    Record,
    Work,
    kept,
    rejected,
    run,
    scored,
)


@pytest.fixture
def contexts(monkeypatch: pytest.MonkeyPatch) -> list[BatchContext]:
    """Puts `Work` in the place of Spark; gives what each batch's workers are told."""
    told: list[BatchContext] = []

    def evaluated(batch: object, mapper: Mapper, partitions: int) -> object:
        assert partitions == PARTITIONS
        return batch

    def evaluate_partition(plan: ScorePlan, context: BatchContext) -> Callable[..., object]:
        assert plan is PLAN
        told.append(context)
        return iter

    monkeypatch.setattr(workers, "evaluated", evaluated)
    monkeypatch.setattr(workers, "evaluate_partition", evaluate_partition)
    return told


@pytest.fixture
def job(tmp_path: Path, contexts: list[BatchContext]) -> Job:
    return Job(tmp_path)


def test_answers_are_written_first_and_scores_last(job: Job, contexts: list[BatchContext]) -> None:
    with SpoolWriter(job.answers.directory(0) / "1.spool") as spool:
        spool.append(paid("Why?"))
    run(job, 0, ("scores", scored(("a", 0, 1))), ("dead_letters", rejected(2)))
    assert job.log == ["responses", "publish", "dead_letters", "scores", "observe"]
    run(job, 1)
    told = [(c.batch_id, c.responses_version, c.spool) for c in contexts]
    assert told == [(0, 0, job.answers.directory(0)), (1, 1, job.answers.directory(1))]


def test_what_several_workers_return_is_one_batch(job: Job) -> None:
    calls = CallTally()
    calls.add("requests", "models", "ok", 3)
    run(
        job,
        4,
        ("scores", scored(("a", 0, 1))),
        ("calls", calls.table()),
        ("scores", scored(("b", 1, 1))),
        ("dead_letters", rejected(7, 8)),
        ("calls", calls.table()),
    )
    (batch,) = job.seen
    assert (batch.batch_id, batch.scores.num_rows, batch.dead_letters.num_rows) == (4, 4, 2)
    assert batch.calls["n"].to_pylist() == [3, 3]
    assert batch.duplicates == 0
    assert batch.seconds > 0
    assert [r["offset"] for r in job.rows("dead_letters")] == job.published == [7, 8]


def test_a_committed_batch_is_not_evaluated_again(job: Job) -> None:
    batch = ("scores", scored(("a", 0, 1)))
    run(job, 3, batch)
    assert run(job, 3, batch).asked == 0
    assert run(job, 2, batch).asked == 0, "Spark never goes back further"
    assert len(job.seen) == 1
    assert kept(job) == {("a", 0, 1): 2}


@pytest.mark.parametrize("kill_at", ["responses", "publish", "dead_letters", "scores"])
def test_a_batch_killed_anywhere_is_there_once_after_it_is_repeated(
    tmp_path: Path,
    contexts: list[BatchContext],
    monkeypatch: pytest.MonkeyPatch,
    kill_at: str,
) -> None:
    tables = [("scores", scored(("a", 0, 1), ("b", 0, 3))), ("dead_letters", rejected(2))]
    killed = Job(tmp_path, kill_at)
    with SpoolWriter(killed.answers.directory(5) / "1.spool") as spool:
        spool.append(paid("Why?"))
    with monkeypatch.context() as patch, pytest.raises(Killed):
        _die_after(killed, kill_at, patch)
        run(killed, 5, *tables)
    again = Job(tmp_path)
    run(again, 5, *tables)
    assert [r["text"] for r in again.rows("responses")] == ["answer to Why?"]
    assert [r["offset"] for r in again.rows("dead_letters")] == [2]
    assert kept(again) == {("a", 0, 1): 2, ("b", 0, 3): 2}
    published = killed.published + again.published
    assert published == ([2, 2] if kill_at == "publish" else [2]), "never lost"


def _die_after(job: Job, table: str, patch: pytest.MonkeyPatch) -> None:
    for method in ("append", "append_untracked"):
        written = getattr(job.tables, method)

        def append(name: str, *rest: object, written: Any = written) -> None:  # noqa: ANN401
            written(name, *rest)
            if name == table:
                raise Killed

        patch.setattr(job.tables, method, append)


def test_a_sample_that_comes_twice_in_a_batch_counts_at_its_first_record(job: Job) -> None:
    records = [("a", 1, 0), ("a", 0, 9), ("b", 0, 7), ("a", 0, 5), ("c", 0, 5), ("b", 0, 8)]
    run(job, 0, ("scores", scored(*records)))
    assert kept(job) == {("a", 0, 5): 2, ("b", 0, 7): 2, ("c", 0, 5): 2}
    assert job.seen[0].duplicates == 3
    assert job.seen[0].scores.num_rows == 6


def test_a_sample_that_comes_again_in_a_later_batch_is_dropped_and_counted(job: Job) -> None:
    run(job, 0, ("scores", scored(("a", 0, 1), ("b", 0, 2))))
    run(job, 1, ("scores", scored(("b", 0, 3), ("c", 0, 4), ("a", 1, 0))))
    assert kept(job) == {("a", 0, 1): 2, ("b", 0, 2): 2, ("c", 0, 4): 2}
    assert [batch.duplicates for batch in job.seen] == [0, 2]


@budget(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from("abcd"), max_size=12),
    st.integers(0, 12),
    st.randoms(use_true_random=False),
)
def test_every_sample_is_kept_once_whatever_the_order_of_rows(
    ids: list[str], cut: int, random: Random
) -> None:
    records = [(name, n % 3, n) for n, name in enumerate(ids)]
    recent = RecentSamples(3_600_000)
    expected: dict[str, Record] = {}
    rows: list[dict[str, Any]] = []
    duplicates = 0
    for part in (records[:cut], records[cut:]):
        for record in sorted(part, key=lambda r: r[1:]):
            expected.setdefault(record[0], record)
        shuffled = random.sample(part, len(part))
        fresh, repeated = first_scores(scored(*shuffled), recent)
        rows += fresh.to_pylist()
        duplicates += repeated
    assert Counter((r["sample_id"], r["partition"], r["offset"]) for r in rows) == {
        record: 2 for record in expected.values()
    }
    assert duplicates == len(records) - len(expected)


def test_a_batch_of_repeats_only_leaves_nothing_and_may_come_again(job: Job) -> None:
    run(job, 0, ("scores", scored(("a", 0, 1))))
    for _ in range(2):
        run(job, 1, ("scores", scored(("a", 0, 2))))
    assert kept(job) == {("a", 0, 1): 2}


def test_an_empty_batch_commits_nothing_and_is_observed(job: Job) -> None:
    run(job, 0)
    assert (job.rows("scores"), job.rows("dead_letters")) == ([], [])
    (batch,) = job.seen
    assert (batch.scores.num_rows, batch.calls.num_rows) == (0, 0)


def test_no_batch_begins_once_the_gate_is_shut(job: Job) -> None:
    job.gate.shut(0.0)
    work = Work([("scores", scored(("a", 0, 1)))])
    with pytest.raises(Draining):
        job.sink(cast("DataFrame", work), 0)
    assert (work.asked, job.log) == (0, [])
