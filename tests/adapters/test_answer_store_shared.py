"""Several jobs on one `responses` table, and answers that replace others."""

from __future__ import annotations

import fcntl
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from streaming_eval.adapters import answer_store
from streaming_eval.adapters.answer_index import AnswerIndex
from streaming_eval.adapters.answer_store import AnswerStore
from streaming_eval.adapters.cache_lease import alone
from streaming_eval.adapters.spool import SpoolWriter
from streaming_eval.adapters.tables import Tables
from streaming_eval.errors import StorageError
from streaming_eval.inference.cache.freshness import Freshness
from streaming_eval.inference.cache.paid_answer import PaidAnswer
from streaming_eval.records import Response
from tests.adapters.paid import paid

HOUR_MS = 3_600_000
CREATED_MS = paid("").response.created_ms


class Sharer:
    """The driver's side of one job: a spool and an index of its own on a table for all."""

    def __init__(self, root: Path, name: str, freshness: Freshness | None = None) -> None:
        self.tables = Tables(root)
        self.index = AnswerIndex(root / name / "answers", self.tables.uri("responses"))
        self.store = AnswerStore(self.tables, root / name / "spool", self.index, freshness)

    def commit(self, *answers: PaidAnswer) -> int:
        """One batch's answers."""
        with SpoolWriter(self.store.directory(0) / "task.spool") as writer:
            for answer in answers:
                writer.append(answer)
        return int(self.store.commit(0).num_rows)

    def texts(self) -> list[str]:
        """Of all rows."""
        return sorted(self.tables.read("responses", ["text"])["text"].to_pylist())


def later(answer: PaidAnswer, later_ms: int) -> PaidAnswer:
    created_ms = answer.response.created_ms + later_ms
    return replace(answer, response=replace(answer.response, created_ms=created_ms))


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Sharer, Sharer]]:
    pair = Sharer(tmp_path, "one"), Sharer(tmp_path, "two")
    yield pair
    for sharer in pair:
        sharer.store.close()


def test_what_another_job_has_committed_meanwhile_stays_the_answer(
    two: tuple[Sharer, Sharer],
) -> None:
    one, other = two
    assert one.commit(paid("a", "first"), paid("b")) == 2
    assert other.commit(later(paid("a", "second"), 5), paid("c")) == 1
    assert one.commit(paid("c", "late"), paid("d")) == 1
    assert one.texts() == ["answer to b", "answer to c", "answer to d", "first"]


def test_after_each_other_job_s_commit_a_job_looks_again(two: tuple[Sharer, Sharer]) -> None:
    one, other = two
    for n in range(3):
        assert one.commit(paid(f"{n}", "one")) == 1
        assert other.commit(paid(f"{n}", "other")) == 0
    assert one.texts() == ["one"] * 3


def test_nobody_commits_between_a_job_s_last_look_and_its_commit(
    two: tuple[Sharer, Sharer], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = two
    lookup = one.index.lookup

    def interrupted(keys: Iterable[str]) -> dict[str, Response]:
        found = lookup(keys)
        with pytest.raises(TimeoutError):
            racing.append(pool.submit(other.commit, later(paid("a", "second"), 5)))
            racing[0].result(0.1)
        return found

    racing: list[Future[int]] = []
    monkeypatch.setattr(one.index, "lookup", interrupted)
    with ThreadPoolExecutor(1) as pool:
        assert one.commit(paid("a", "first")) == 1
    assert racing[0].result() == 0
    assert one.texts() == ["first"]


def test_a_job_alone_does_not_look_up_what_its_workers_have_looked_up(
    two: tuple[Sharer, Sharer], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = two
    one.commit(paid("a"))
    monkeypatch.setattr(one.index, "lookup", lambda _: pytest.fail("it was looked up"))
    assert one.commit(paid("b")) == 1


@pytest.mark.parametrize(("age_ms", "texts"), [(HOUR_MS, ["old"]), (HOUR_MS + 1, ["new", "old"])])
def test_an_answer_replaces_one_that_was_too_old_when_it_came(
    tmp_path: Path, age_ms: int, texts: list[str]
) -> None:
    Sharer(tmp_path, "one").commit(paid("a", "old"))
    other = Sharer(tmp_path, "other", Freshness(max_age_ms=HOUR_MS))
    other.commit(later(paid("a", "new"), age_ms))
    assert other.texts() == texts


def test_a_refreshed_answer_replaces_the_one_from_before_the_instant(tmp_path: Path) -> None:
    Sharer(tmp_path, "one").commit(paid("a", "old"))
    refreshing = Sharer(tmp_path, "other", Freshness(since_ms=CREATED_MS + 1))
    refreshing.commit(later(paid("a", "new"), 1))
    refreshing.index.refresh(refreshing.tables.version("responses"))
    found = refreshing.index.get(paid("a").cache_key)
    assert found is not None
    assert found.text == "new"


def test_an_answer_that_would_not_count_is_not_added(tmp_path: Path) -> None:
    """A restart under a later instant finds in the spool what was committed before the kill."""
    Sharer(tmp_path, "one").commit(paid("a"))
    restarted = Sharer(tmp_path, "two", Freshness(since_ms=CREATED_MS + HOUR_MS))
    assert restarted.commit(paid("a")) == 0


def test_a_job_cannot_start_while_somebody_has_the_table_for_himself(tmp_path: Path) -> None:
    tables = Tables(tmp_path)
    with alone(Path(tables.uri("responses"))), pytest.raises(StorageError, match="being cleaned"):
        Sharer(tmp_path, "one")
    Sharer(tmp_path, "one")


def test_nobody_has_the_table_for_himself_while_a_job_runs(two: tuple[Sharer, Sharer]) -> None:
    responses = Path(two[0].tables.uri("responses"))
    for sharer in two:
        with pytest.raises(StorageError, match="in use by a running job"), alone(responses):
            pass
        sharer.store.close()
    with alone(responses):
        pass


def test_a_job_that_is_gone_holds_nothing(tmp_path: Path) -> None:
    responses = Path(Sharer(tmp_path, "one").tables.uri("responses"))
    with alone(responses):
        pass


@pytest.fixture
def refreshing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sharer:
    """A job whose three answers were all replaced by later ones, and that tends often."""
    monkeypatch.setattr(answer_store, "_COMMITS_BETWEEN_LOOKS", 2)
    monkeypatch.setattr(answer_store, "_SUPERSEDED_AT_LEAST", 2)
    sharer = Sharer(tmp_path, "one", Freshness(max_age_ms=HOUR_MS))
    sharer.commit(*(paid(name, "old") for name in "abc"))
    sharer.commit(*(later(paid(name, "new"), 2 * HOUR_MS) for name in "abc"))
    return sharer


def test_superseded_answers_are_removed_once_they_are_days_old(refreshing: Sharer) -> None:
    refreshing.store.tend(CREATED_MS + 24 * HOUR_MS)
    assert refreshing.texts() == ["new"] * 3 + ["old"] * 3, "they still count as money spent"
    refreshing.commit(paid("d"))
    refreshing.commit(paid("e"))
    refreshing.store.tend(CREATED_MS + 49 * HOUR_MS)
    assert refreshing.texts() == ["answer to d", "answer to e", *["new"] * 3]
    assert refreshing.commit(paid("f")) == 1


def test_few_superseded_answers_are_not_worth_a_rewrite(
    refreshing: Sharer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_store, "_SUPERSEDED_AT_LEAST", 4)
    refreshing.store.tend(CREATED_MS + 49 * HOUR_MS)
    assert len(refreshing.texts()) == 6


def test_between_two_looks_at_superseded_answers_nothing_is_read(
    refreshing: Sharer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_store, "_COMMITS_BETWEEN_LOOKS", 3)
    monkeypatch.setattr(answer_store, "row_count", lambda _: pytest.fail("the log was read"))
    refreshing.store.tend(CREATED_MS + 49 * HOUR_MS)


def test_a_rewrite_that_another_program_prevents_is_put_off(
    refreshing: Sharer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def conflict(*_: object) -> int:
        raise StorageError("somebody compacts all day")

    monkeypatch.setattr(answer_store, "remove_duplicates", conflict)
    refreshing.store.tend(CREATED_MS + 49 * HOUR_MS)
    assert "tried again: somebody compacts" in caplog.text


def test_tending_compacts_the_table_while_nobody_else_writes(
    refreshing: Sharer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tended: list[str] = []

    def tend(names: list[str]) -> None:
        tended.extend(names)
        with pytest.raises(BlockingIOError), lock.open("a") as other:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)

    lock = Path(f"{refreshing.tables.uri('responses')}.write.lock")
    monkeypatch.setattr(refreshing.tables, "tend", tend)
    refreshing.store.tend(CREATED_MS)
    assert tended == ["responses"]
