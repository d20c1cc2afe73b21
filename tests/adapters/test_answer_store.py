from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from streaming_eval.adapters.answer_index import AnswerIndex
from streaming_eval.adapters.answer_store import AnswerStore
from streaming_eval.adapters.spool import SpoolWriter
from streaming_eval.adapters.tables import Tables
from streaming_eval.inference.cache.cache_key import cache_key
from streaming_eval.inference.cache.paid_answer import PaidAnswer
from streaming_eval.pipeline.score_rows import instant
from tests.adapters.paid import paid
from tests.inference.requests import ENDPOINT, request


class Driver:
    """The driver's side of one process on a storage root."""

    def __init__(self, root: Path) -> None:
        self.tables = Tables(root)
        self.index = AnswerIndex(root / "index" / "answers", self.tables.uri("responses"))
        self.store = AnswerStore(self.tables, root / "spool", self.index, job="eval")

    def texts(self) -> dict[str, str]:
        """Cache key to text; every key must be there once."""
        rows = self.tables.read("responses").to_pylist()
        texts = {row["cache_key"]: row["text"] for row in rows}
        assert len(texts) == len(rows)
        return texts


@pytest.fixture
def driver(tmp_path: Path) -> Driver:
    return Driver(tmp_path)


def spool(driver: Driver, batch_id: int, name: str, *answers: PaidAnswer) -> Path:
    path = driver.store.directory(batch_id) / f"{name}.spool"
    with SpoolWriter(path) as writer:
        for answer in answers:
            writer.append(answer)
    return path


def aged(answer: PaidAnswer, later_ms: int) -> PaidAnswer:
    """The same answer, come so much later."""
    created_ms = answer.response.created_ms + later_ms
    return replace(answer, response=replace(answer.response, created_ms=created_ms))


def by_key(*answers: PaidAnswer) -> dict[str, str | None]:
    return {answer.cache_key: answer.response.text for answer in answers}


def test_a_batch_s_answers_become_rows_and_its_spool_goes(driver: Driver) -> None:
    spool(driver, 3, "a", paid("1"), paid("2"))
    spool(driver, 3, "b", paid("3"))
    spool(driver, 4, "c", paid("4"))
    assert driver.store.commit(3).num_rows == 3
    assert driver.texts() == by_key(paid("1"), paid("2"), paid("3"))
    assert not driver.store.directory(3).exists()
    assert driver.store.directory(4).exists()


def test_a_row_holds_the_whole_answer(driver: Driver) -> None:
    answer = paid("Why?")
    spool(driver, 0, "a", answer)
    driver.store.commit(0)
    assert driver.tables.read("responses").to_pylist() == [
        {
            "cache_key": cache_key(request("Why?")),
            "endpoint": ENDPOINT,
            "api": "openai_chat",
            "model": "llama-2-7b",
            "revision": "",
            "request": answer.request,
            "text": "answer to Why?",
            "finish_reason": "stop",
            "input_tokens": 9,
            "output_tokens": 3,
            "latency_ms": 12.5,
            "attempts": 2,
            "created_at": instant(1_700_000_000_123),
            "job": "eval",
        }
    ]


def test_the_index_finds_what_was_committed(driver: Driver) -> None:
    spool(driver, 0, "a", paid("1"))
    driver.store.commit(0)
    driver.index.refresh(driver.tables.version("responses"))
    found = driver.index.get(paid("1").cache_key)
    assert found == replace(paid("1").response, cached=True)


def test_two_workers_that_paid_for_the_same_leave_the_newer_answer(driver: Driver) -> None:
    spool(driver, 0, "a", aged(paid("1", "newest"), 2), aged(paid("1", "again"), 1))
    spool(driver, 0, "b", paid("1", "oldest"))
    assert driver.store.commit(0).num_rows == 1
    assert driver.texts() == by_key(paid("1", "newest"))


def test_a_batch_that_asked_nobody_commits_nothing(driver: Driver) -> None:
    version = driver.tables.version("responses")
    assert driver.store.commit(0).num_rows == 0
    spool(driver, 1, "a")
    assert driver.store.commit(1).num_rows == 0
    assert not driver.store.directory(1).exists()
    assert driver.tables.version("responses") == version


def test_leftovers_of_earlier_runs_are_swept_up_torn_lines_aside(
    driver: Driver, tmp_path: Path
) -> None:
    spool(driver, 7, "a", paid("1"))
    torn = spool(driver, 8, "b", paid("2"), paid("3"))
    whole = torn.read_bytes()
    torn.write_bytes(whole[:-20])
    spool(driver, 8, "c", paid("1", "paid twice"))
    restarted = Driver(tmp_path)
    assert restarted.store.sweep() == 2
    assert restarted.texts() == by_key(paid("1"), paid("2"))
    assert list((tmp_path / "spool").iterdir()) == []


def test_what_is_in_the_table_already_is_not_added_again(
    driver: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill between the commit of a batch's answers and the removal of its spool."""

    def killed(path: Path) -> None:
        raise SystemExit

    spool(driver, 5, "a", paid("1"), paid("2"))
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(shutil, "rmtree", killed)
        driver.store.commit(5)
    spool(driver, 5, "b", paid("2", "paid again"), paid("3"))
    restarted = Driver(tmp_path)
    assert restarted.store.sweep() == 1
    assert restarted.texts() == by_key(paid("1"), paid("2"), paid("3"))
    assert restarted.store.sweep() == 0


def test_sweeping_twice_adds_nothing(driver: Driver) -> None:
    spool(driver, 0, "a", paid("1"))
    assert (driver.store.sweep(), driver.store.sweep()) == (1, 0)
    spool(driver, 1, "a", paid("1"))
    assert driver.store.sweep() == 0
    assert driver.texts() == by_key(paid("1"))


def test_files_beside_the_batches_are_left_alone(driver: Driver, tmp_path: Path) -> None:
    note = tmp_path / "spool" / "README"
    note.write_text("mine")
    assert driver.store.sweep() == 0
    assert note.read_text() == "mine"
