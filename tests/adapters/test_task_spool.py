"""What a task has paid for is kept, also what is answered after its end, and counts once."""

from __future__ import annotations

from pathlib import Path

import pytest

from streaming_eval.adapters.spool import SpoolWriter, list_files, read_file
from streaming_eval.adapters.task_spool import LATE, TaskSpool
from tests.adapters.paid import paid
from tests.adapters.test_answer_store import Driver, by_key


@pytest.fixture
def driver(tmp_path: Path) -> Driver:
    return Driver(tmp_path)


def late_task(driver: Driver, batch: int) -> TaskSpool:
    """One that has ended without an answer."""
    task = TaskSpool(driver.store.directory(batch))
    task.close()
    return task


def late_files(driver: Driver) -> list[Path]:
    return sorted((driver.store.directory(0).parent / LATE).glob("*"))


def test_before_the_end_all_answers_are_in_one_file_of_the_batch(driver: Driver) -> None:
    task = TaskSpool(driver.store.directory(3))
    task.append(paid("1"))
    task.append(paid("2"))
    (file,) = list_files(driver.store.directory(3))
    assert read_file(file).answers == (paid("1"), paid("2"))
    task.close()
    assert late_files(driver) == []


def test_tasks_of_a_batch_do_not_share_a_file(driver: Driver) -> None:
    tasks = [TaskSpool(driver.store.directory(3)) for _ in range(2)]
    for n, task in enumerate(tasks):
        task.append(paid(str(n)))
        task.close()
    assert len(list_files(driver.store.directory(3))) == 2
    assert driver.store.commit(3).num_rows == 2


def test_each_answer_after_the_end_is_a_whole_file_of_its_own(driver: Driver) -> None:
    task = late_task(driver, 3)
    task.append(paid("1"))
    task.append(paid("2"))
    files = late_files(driver)
    assert {file.suffix for file in files} == {".spool"}
    answers = [read_file(file).answers for file in files]
    assert sorted(answers, key=str) == sorted([(paid("1"),), (paid("2"),)], key=str)


def test_an_end_may_come_twice(driver: Driver) -> None:
    task = late_task(driver, 3)
    task.close()
    task.append(paid("1"))
    assert len(late_files(driver)) == 1


def test_a_late_file_has_its_name_only_when_it_is_whole(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Path] = []
    append = SpoolWriter.append

    def watched(writer: SpoolWriter, answer: object) -> None:
        seen.extend(late_files(driver))
        assert driver.store.commit_late().num_rows == 0, "nothing is read before it is whole"
        append(writer, paid("1"))

    task = late_task(driver, 3)
    monkeypatch.setattr(SpoolWriter, "append", watched)
    task.append(paid("1"))
    assert [path.suffix for path in seen] == [".partial"]
    assert driver.store.commit_late().num_rows == 1


def test_late_answers_move_to_the_table_once_and_their_files_go(driver: Driver) -> None:
    task = late_task(driver, 3)
    task.append(paid("1"))
    task.append(paid("2"))
    rows = driver.store.commit_late()
    assert set(rows["cache_key"].to_pylist()) == {paid("1").cache_key, paid("2").cache_key}
    assert late_files(driver) == []
    assert driver.store.commit_late().num_rows == 0
    assert driver.texts() == by_key(paid("1"), paid("2"))
    task.append(paid("3"))
    assert driver.store.commit_late()["cache_key"].to_pylist() == [paid("3").cache_key]


def test_no_late_answers_commit_nothing(driver: Driver) -> None:
    version = driver.tables.version("responses")
    assert driver.store.commit_late().num_rows == 0
    assert driver.tables.version("responses") == version


def test_a_half_written_file_is_neither_read_nor_removed(driver: Driver) -> None:
    with SpoolWriter(driver.store.directory(0).parent / LATE / "1-a.partial") as writer:
        writer.append(paid("1"))
    assert driver.store.commit_late().num_rows == 0
    assert driver.store.sweep() == 0
    assert [path.name for path in late_files(driver)] == ["1-a.partial"]


def test_the_answer_of_another_batch_that_came_meanwhile_stays(driver: Driver) -> None:
    """Another worker process knew nothing of the call under way, and has asked again."""
    task = late_task(driver, 3)
    other = TaskSpool(driver.store.directory(4))
    other.append(paid("1", "first"))
    other.close()
    driver.store.commit(4)
    task.append(paid("1", "late"))
    task.append(paid("2", "late"))
    rows = driver.store.commit_late()
    assert rows["cache_key"].to_pylist() == [paid("2").cache_key]
    assert driver.texts() == by_key(paid("1", "first"), paid("2", "late"))
    assert late_files(driver) == []


def test_what_came_late_to_an_earlier_run_is_swept_up(driver: Driver, tmp_path: Path) -> None:
    late_task(driver, 3).append(paid("1"))
    task = TaskSpool(driver.store.directory(4))
    task.append(paid("1", "paid twice"))
    task.append(paid("2"))
    task.close()
    restarted = Driver(tmp_path)
    assert restarted.store.sweep() == 2
    assert restarted.texts() == by_key(paid("1"), paid("2"))
    assert late_files(restarted) == []
    assert restarted.store.sweep() == 0


def test_a_kill_between_the_commit_and_the_removal_adds_nothing_twice(
    driver: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(path: Path) -> None:
        raise SystemExit

    late_task(driver, 3).append(paid("1"))
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(Path, "unlink", killed)
        driver.store.commit_late()
    assert len(late_files(driver)) == 1
    restarted = Driver(tmp_path)
    assert restarted.store.commit_late().num_rows == 0
    assert restarted.texts() == by_key(paid("1"))
    assert late_files(restarted) == []
