"""An answer is found by the other job at each stage of its way from the spool into the table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from streaming_eval.adapters.answer_index import AnswerIndex
from streaming_eval.adapters.answer_store import AnswerStore
from streaming_eval.adapters.shared_cache import SharedCache
from streaming_eval.adapters.spool import SpoolWriter
from streaming_eval.adapters.tables import Tables
from streaming_eval.adapters.task_spool import TaskSpool
from tests.adapters.paid import paid

A = paid("a")


class Job:
    """A driver and one worker of it, whose batch has begun."""

    def __init__(self, root: Path, name: str) -> None:
        self.tables, spool = Tables(root), root / name / "spool"
        index = AnswerIndex(root / name / "answers", self.tables.uri("responses"))
        self.store = AnswerStore(self.tables, spool, index)
        own = AnswerIndex(root / name / "answers", self.tables.uri("responses"))
        own.refresh(self.tables.version("responses"))
        self.cache = SharedCache(Path(self.tables.uri("responses")), spool, own)

    def found(self) -> str | None:
        answer = self.cache.answers([A.cache_key]).get(A.cache_key)
        return None if answer is None else answer.text


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Job, Job]]:
    pair = Job(tmp_path, "one"), Job(tmp_path, "other")
    yield pair
    for job in pair:
        job.cache.close()
        job.store.close()


def test_on_its_whole_way_an_answer_is_found(two: tuple[Job, Job]) -> None:
    one, other = two
    assert (one.cache.present(), other.cache.present()) == (True, True)
    assert other.found() is None
    with SpoolWriter(one.store.directory(0) / "task.spool") as writer:
        writer.append(A)
        assert other.found() == "answer to a"
    one.store.commit(0)
    assert other.found() == "answer to a"
    assert one.found() == "answer to a"
    assert other.store.sweep() == 0, "who found it has nothing to commit"


def test_an_answer_that_was_committed_between_two_looks_is_found(two: tuple[Job, Job]) -> None:
    one, other = two
    assert other.found() is None
    with SpoolWriter(one.store.directory(0) / "task.spool") as writer:
        writer.append(A)
    one.store.commit(0)
    one.store.tend(0)
    assert other.found() == "answer to a"


def test_late_answers_are_found_on_their_way_too(two: tuple[Job, Job]) -> None:
    one, other = two
    spool = TaskSpool(one.store.directory(0))
    spool.close()
    spool.append(A)
    assert other.found() == "answer to a"
    one.store.commit_late()
    assert other.found() == "answer to a"


def test_a_commit_in_the_middle_of_a_look_hides_nothing(
    two: tuple[Job, Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the spools and that at the table."""
    one, other = two
    with SpoolWriter(one.store.directory(0) / "task.spool") as writer:
        writer.append(A)
    follow = AnswerIndex.follow

    def committed_first(index: AnswerIndex) -> None:
        one.store.commit(0)
        follow(index)

    monkeypatch.setattr(AnswerIndex, "follow", committed_first)
    assert other.found() == "answer to a"


def test_claims_are_one_process_s_and_end_with_it(two: tuple[Job, Job]) -> None:
    one, other = two
    assert one.cache.take(A.cache_key)
    assert (other.cache.take(A.cache_key), other.cache.taken(A.cache_key)) == (False, True)
    other.cache.release(A.cache_key)
    assert other.cache.taken(A.cache_key), "only its holder gives it up"
    one.cache.close()
    assert other.cache.take(A.cache_key)
