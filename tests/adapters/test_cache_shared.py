"""Several processes on one cache: nothing is lost, nothing is damaged, little is paid twice."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from streaming_eval.adapters.answer_duplicates import remove_duplicates, row_count
from streaming_eval.adapters.answer_index import AnswerIndex
from streaming_eval.adapters.cache_lease import alone, writing
from streaming_eval.adapters.cache_places import CachePlaces
from streaming_eval.adapters.tables import Tables
from streaming_eval.errors import StorageError
from streaming_eval.inference.cache.cache_key import cache_key
from tests.adapters.cache_job import QUESTIONS, Account, Job, run_job
from tests.inference.requests import request

KEYS = {cache_key(request(f"question {n}")) for n in range(QUESTIONS)}
JOBS = "abcd"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Account]]:
    """Four jobs have run at once, with maintenance; the last one refreshed every answer."""
    root = tmp_path_factory.mktemp("shared")
    Tables(root)
    began_ms = time.time_ns() // 1_000_000
    with ProcessPoolExecutor(len(JOBS), mp_context=get_context("spawn")) as pool:
        running = {
            name: pool.submit(run_job, root, name, began_ms if name == "d" else None)
            for name in JOBS
        }
        return root, {name: job.result() for name, job in running.items()}


def test_a_question_that_several_asked_at_once_has_one_row(
    shared: tuple[Path, dict[str, Account]],
) -> None:
    """Jobs look up once more before they write, and take turns; only d was to replace answers."""
    rows = Tables(shared[0]).read("responses").to_pylist()
    replacing = Counter((row["cache_key"], row["text"] == "d says") for row in rows)
    assert set(replacing.values()) == {1}


def test_every_question_has_its_answer_once(shared: tuple[Path, dict[str, Account]]) -> None:
    root, accounts = shared
    responses = CachePlaces(root).responses
    remove_duplicates(responses)
    rows = Tables(root).read("responses").to_pylist()
    assert Counter(row["cache_key"] for row in rows) == Counter(KEYS)
    assert all(row["text"] in {f"{name} says" for name in JOBS} for row in rows)
    assert sum(account.added for account in accounts.values()) >= row_count(responses)


def test_no_job_pays_twice_for_an_answer(shared: tuple[Path, dict[str, Account]]) -> None:
    for account in shared[1].values():
        assert account.paid.keys() <= KEYS
        assert set(account.paid.values()) == {1}


def test_what_one_job_paid_for_is_there_for_the_next(
    shared: tuple[Path, dict[str, Account]],
) -> None:
    root, accounts = shared
    paid = sum(account.paid.total() for account in accounts.values())
    assert QUESTIONS <= paid < len(JOBS) * QUESTIONS, "they found some of each other's answers"
    late = Job(root, "late").run()
    assert (late.paid.total(), late.added) == (0, 0)


def test_every_index_agrees_with_one_that_is_made_anew(
    shared: tuple[Path, dict[str, Account]], tmp_path: Path
) -> None:
    root, _ = shared
    tables = Tables(root)
    found = []
    for path in (tmp_path / "answers", *(root / name / "answers" for name in JOBS)):
        index = AnswerIndex(path, tables.uri("responses"))
        index.refresh(tables.version("responses"))
        found.append(index.lookup(KEYS))
        index.close()
    assert found[0].keys() == KEYS
    assert found[1:] == found[:1] * len(JOBS)


def test_a_killed_job_leaves_no_lock_behind(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path;"
        "from streaming_eval.adapters.cache_lease import CacheLease, writing;"
        "responses = Path(sys.argv[1]); lease = CacheLease(responses)\n"
        "with writing(responses): print('held', flush=True); time.sleep(60)"
    )
    responses = tmp_path / "tables" / "responses"
    job = subprocess.Popen([sys.executable, "-c", code, str(responses)], stdout=subprocess.PIPE)
    assert job.stdout is not None
    with job, job.stdout:
        assert job.stdout.readline() == b"held\n"
        with pytest.raises(StorageError, match="in use by a running job"), alone(responses):
            pass
        job.send_signal(signal.SIGKILL)
    with alone(responses), writing(responses):
        pass


def test_a_place_that_cannot_hold_a_lock_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot open"), writing(tmp_path / "file" / "responses"):
        pass
