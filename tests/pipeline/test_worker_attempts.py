"""Several attempts at one task: whoever comes later pays for nothing that was paid for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from streaming_eval.adapters import worker_runtime
from streaming_eval.adapters.attempt_turn import AttemptTurn
from streaming_eval.adapters.spool import list_files, read_spool
from streaming_eval.adapters.worker_runtime import RuntimePlan
from streaming_eval.errors import StorageError
from tests.pipeline.models_api import ModelsApi
from tests.pipeline.worker_process import Values, Worker, sample

_WAIT_S = 20.0


@pytest.fixture
def api() -> Iterator[ModelsApi]:
    with ModelsApi(lambda model, question: f"{question} Because.").serving() as api:
        yield api


@pytest.fixture
def process(tmp_path: Path, api: ModelsApi, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    runtimes: dict[RuntimePlan, worker_runtime.WorkerRuntime] = {}
    monkeypatch.setattr(worker_runtime, "_runtimes", runtimes)
    yield Worker(tmp_path, api.base_url)
    for runtime in runtimes.values():
        runtime.close()


def waits(caplog: pytest.LogCaptureFixture) -> bool:
    """Returns once an attempt waits for another."""
    for _ in range(int(_WAIT_S * 100)):
        if "waiting for another attempt" in caplog.text:
            return True
        threading.Event().wait(0.01)
    return False


def test_a_second_attempt_waits_for_the_first_and_finds_its_answers(
    process: Worker, api: ModelsApi, caplog: pytest.LogCaptureFixture
) -> None:
    values: Values = [sample("a", "One?"), sample("b", "Two?")]
    with ThreadPoolExecutor() as pool:
        with AttemptTurn(process.answers.opened(0), 0):
            second = pool.submit(process.run, values)
            assert waits(caplog)
            assert api.asked == [], "it asks while the first attempt may"
            _answered_by_another_process(process, values)
            first = list(api.asked)
        rows = second.result(_WAIT_S)
    assert len(first) == 2
    assert api.asked == first
    assert {row["status"] for row in rows["scores"]} == {"ok"}


def _answered_by_another_process(process: Worker, values: Values) -> None:
    """What the first attempt asks meanwhile lies in the spool afterwards."""
    process.run(values, batch_id=1)
    for file in list_files(process.answers.directory(1)):
        file.rename(process.answers.directory(0) / file.name)


@pytest.mark.parametrize("answers", ["committed", "gone while it read them"])
def test_an_attempt_after_the_end_of_its_batch_asks_nobody(
    process: Worker, api: ModelsApi, monkeypatch: pytest.MonkeyPatch, answers: str
) -> None:
    if answers == "committed":
        process.run([sample("a", "One?")])
        process.answers.commit(0)
        monkeypatch.setattr(process.answers, "opened", process.answers.directory)
    else:
        read = read_spool

        def slow(directory: Path) -> object:
            found = list(read(directory))
            process.answers.commit(0)
            return found

        monkeypatch.setattr(worker_runtime, "read_spool", slow)
    before = list(api.asked)
    with pytest.raises(StorageError, match="came too late"):
        process.run([sample("a", "One?")])
    assert api.asked == before
