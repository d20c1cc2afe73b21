"""What waits is found again after every restart, and what nobody needs is not kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from streaming_eval.adapters import pending_records
from streaming_eval.adapters.pending_rows import pending_entries, pending_rows
from streaming_eval.adapters.schemas import PENDING
from streaming_eval.inference.requeue import Failure, Pending, Verdict, place
from streaming_eval.records import KafkaRecord
from tests.adapters.waiting import FRESH, LIMITS, NOW_MS, RETRIES, Job, at, failing, record

FARTHEST_MS = (2**63 - 1) // 1_000  # that microseconds in 64 bits reach
ODD = [
    Pending(KafkaRecord("t", 0, 1, 0, None, None), 1),
    Pending(KafkaRecord("t", 0, 2, -1, b"", b""), 2, 1, True),
    Pending(KafkaRecord("ü.t", 7, 2**62, 5, b"\x00\xff\n", b"\xed\xa0\x80\x00"), 3, 2, False, "é"),
    Pending(KafkaRecord("t", 0, 3, FARTHEST_MS, b"k", b"v"), 1, 1, False, "dns", FARTHEST_MS, 1e-9),
    Pending(KafkaRecord("t", 0, 4, -FARTHEST_MS, b"k", b"v"), 1, 1, False, "dns", -1, 0.1),
]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def test_entries_become_rows_and_the_same_entries_again() -> None:
    rows = pending_rows(ODD, "query", 3, NOW_MS)
    assert rows.schema == PENDING
    assert pending_entries(rows) == ODD
    assert set(rows["application"].to_pylist()) == {"query"}
    assert set(rows["batch_id"].to_pylist()) == {3}


def test_entries_survive_the_table_byte_for_byte(job: Job, tmp_path: Path) -> None:
    job.pending.commit(Verdict.earlier(ODD), {}, FRESH, 0, NOW_MS)
    restarted = Job(tmp_path)
    read = pending_entries(restarted.tables.read("pending"))
    assert sorted(read, key=lambda e: place(e.record)) == sorted(ODD, key=lambda e: place(e.record))
    assert restarted.due(NOW_MS) == {place(e.record): e for e in ODD if not e.settled}


def test_after_a_restart_waits_what_waited_before(job: Job, tmp_path: Path) -> None:
    job.commit(0, failing("timeout", 1, 2))
    job.commit(0, failing("timeout", 2), taken=job.due())
    assert job.due().keys() == at(2)
    restarted = Job(tmp_path)
    assert (len(restarted.pending), restarted.due()) == (1, job.due())
    assert restarted.due()[place(record(2))].record == record(2)
    assert restarted.due()[place(record(2))].tries == 2


def test_what_an_earlier_attempt_has_decided_is_known_and_nothing_else(
    job: Job, tmp_path: Path
) -> None:
    assert job.pending.earlier(FRESH, 0) is None
    job.commit(0, failing("timeout", 1))
    decided = job.commit(0, failing("timeout", 1), taken=job.due())
    restarted = Job(tmp_path)
    assert restarted.pending.earlier(RETRIES, 0) == decided
    assert decided.held == at(1)
    assert restarted.pending.earlier(RETRIES, 1) is None
    assert restarted.pending.earlier("another query", 0) is None


def test_no_batch_was_interrupted_where_none_was_begun(job: Job) -> None:
    job.commit(4, failing("timeout", 1))
    assert job.pending.interrupted(RETRIES) is None


def test_an_interrupted_batch_is_named_with_what_it_had_taken(job: Job, tmp_path: Path) -> None:
    job.commit(0, failing("timeout", 1, 2, 3))
    taken = {where: e for where, e in job.due().items() if where in at(1, 2)}
    job.commit(0, failing("timeout", 2), taken=taken)
    assert Job(tmp_path).pending.interrupted(RETRIES) == (0, taken)


def test_it_is_named_where_all_its_samples_are_settled_too(job: Job, tmp_path: Path) -> None:
    """Their entries that settle them hold no bytes, so the ones before must still be there."""
    job.commit(0, failing("timeout", 1, 2))
    job.commit(1, failing("timeout", 9))
    taken = {where: e for where, e in job.due().items() if where in at(1, 2)}
    job.commit(0, {}, taken=taken)
    assert job.due().keys() == at(9)
    for _ in range(2):
        restarted = Job(tmp_path)
        assert restarted.pending.interrupted(RETRIES) == (0, taken)
        assert restarted.due().keys() == at(9)


def test_it_is_named_where_nothing_waits_any_more(job: Job, tmp_path: Path) -> None:
    job.commit(0, failing("timeout", 1))
    taken = job.due()
    job.commit(0, {}, taken=taken)
    restarted = Job(tmp_path)
    assert len(restarted.pending) == 0
    assert restarted.pending.interrupted(RETRIES) == (0, taken)


def test_a_batch_with_scores_was_not_interrupted(job: Job, tmp_path: Path) -> None:
    job.commit(0, failing("timeout", 1, 2))
    job.commit(0, failing("timeout", 2), taken=job.due())
    job.score(0)
    assert Job(tmp_path).pending.interrupted(RETRIES) is None
    taken = job.due()
    job.commit(1, {}, taken=taken)
    assert Job(tmp_path).pending.interrupted(RETRIES) == (1, taken)


def test_an_answer_makes_those_due_that_waited_for_it(job: Job) -> None:
    first = failing("batch_deadline", 1, 2, awaited=["a"])
    second = failing("batch_deadline", 3, awaited=["b"])
    job.commit(0, {**first, **second})
    assert job.due(NOW_MS) == {}
    job.pending.answered(["a", "nobody's"])
    assert job.due(NOW_MS).keys() == at(1, 2)
    job.pending.answered(["b"])
    assert job.due(NOW_MS).keys() == at(1, 2, 3)


def test_an_answer_makes_nothing_due_that_is_settled(job: Job) -> None:
    job.commit(0, failing("batch_deadline", 1, awaited=["a"]))
    job.commit(0, {}, taken=job.due())
    job.pending.answered(["a"])
    assert job.due() == {}


def test_one_answer_hurries_one_try_only(job: Job) -> None:
    job.commit(0, failing("batch_deadline", 1, awaited=["a"]))
    job.pending.answered(["a"])
    job.commit(0, failing("timeout", 1), taken=job.due(NOW_MS))
    assert job.due(NOW_MS) == {}
    job.pending.answered(["a"])
    assert job.due(NOW_MS) == {}
    assert job.due().keys() == at(1)


def test_who_was_settled_at_the_last_try_waits_for_no_answer(job: Job) -> None:
    """`failed` names the record, but it is not held."""
    failed = failing("batch_deadline", 1, awaited=["a"])
    where = place(record(1))
    worn_out = Pending(record(1), 2, LIMITS.max_tries - 1, reason="timeout")
    job.commit(0, failed, taken={where: worn_out})
    job.commit(5, failing("timeout", 1))
    job.pending.answered(["a"])
    assert job.due(NOW_MS) == {}


def history(job: Job) -> None:
    """Four records: two done long ago, one settled in the last retries, one that still waits."""
    job.commit(0, failing("timeout", 1, 2, 3))
    job.commit(1, failing("timeout", 4))
    job.commit(0, failing("timeout", 3, 4), taken=job.due())
    job.score(0)
    job.commit(2, failing("timeout", 5))
    job.commit(1, {}, taken={where: e for where, e in job.due().items() if where in at(3)})
    job.score(1)
    job.commit(2, {}, taken={where: e for where, e in job.due().items() if where in at(5)})


KEPT = [
    (FRESH, 2, 5),  # the last of its application, and what the last retries had taken
    (RETRIES, 0, 4),  # waits
    (RETRIES, 2, 5),  # the last of its application
]


def test_loading_keeps_what_waits_and_the_last_of_each_application(
    job: Job, tmp_path: Path
) -> None:
    history(job)
    assert len(job.offsets()) == 11
    restarted = Job(tmp_path)
    assert restarted.offsets() == KEPT
    assert restarted.due() == job.due()
    newest = {app: restarted.tables.newest("pending", app) for app in (FRESH, RETRIES, "else")}
    assert newest == {FRESH: 2, RETRIES: 2, "else": -1}
    version = restarted.tables.version("pending")
    assert Job(tmp_path).tables.version("pending") == version, "nothing to tidy, nothing written"


def test_what_is_settled_does_not_wait_again_after_a_restart(job: Job, tmp_path: Path) -> None:
    """The last batch of the topic stays in the table, and so must what has settled it since."""
    job.commit(0, failing("timeout", 1, 2))
    for batch, offset in enumerate((1, 2)):
        job.commit(batch, {}, taken={w: e for w, e in job.due().items() if w in at(offset)})
        job.score(batch)
    assert len(job.pending) == 0
    for _ in range(2):
        assert Job(tmp_path).due() == {}


def test_after_many_rows_the_history_goes_and_what_waits_stays(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    history(job)
    rows, due = job.offsets(), job.due()
    job.pending.tend()
    assert job.offsets() == rows
    monkeypatch.setattr(pending_records, "_ROWS_BETWEEN_TIDYINGS", 12)
    job.pending.tend()
    assert job.offsets() == rows, "11 rows were appended"
    monkeypatch.setattr(pending_records, "_ROWS_BETWEEN_TIDYINGS", 11)
    job.pending.tend()
    assert (job.offsets(), job.due()) == (KEPT, due)
    assert job.tables.newest("pending", RETRIES) == 2


def test_many_that_wait_are_not_rewritten_for_little_history(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending_records, "_ROWS_BETWEEN_TIDYINGS", 1)
    job.commit(0, failing("timeout", *range(10)))
    job.commit(0, failing("timeout", *range(10)), taken=job.due())
    job.pending.tend()
    assert len(job.offsets()) == 20, "less than four rows for each that waits"
    job.commit(1, failing("timeout", *range(10, 13)))
    job.commit(1, {}, taken={w: e for w, e in job.due().items() if w not in at(10, 11, 12)})
    job.pending.tend()
    assert len(job.pending) == 3
    assert len(job.offsets()) == 3 + 2 * 10


def test_so_many_awaited_answers_are_forgotten_that_memory_stays_bounded(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending_records, "_MOST_AWAITED", 2)
    lacking = {
        place(record(n)): Failure(record(n), "batch_deadline", (f"key {n}",)) for n in (1, 2, 3)
    }
    job.commit(0, lacking)
    job.pending.tend()
    job.pending.answered(["key 1"])
    assert job.due(NOW_MS) == {}
    assert job.due().keys() == at(1, 2, 3), "they wait for their time instead"
