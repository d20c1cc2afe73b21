"""Four processes ask a real endpoint the same at the same time, and one of them may die of it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from streaming_eval.adapters.tables import Tables
from streaming_eval.local.behaviour import Behaviour
from streaming_eval.local.call_log import read_calls
from streaming_eval.local.endpoint_process import RecordedEndpoint

pytestmark = pytest.mark.slow
JOBS = 4
QUESTIONS = 150
IN_FLIGHT = 16


class Crowd:
    """The jobs, their common table and what the endpoint saw."""

    def __init__(self, root: Path, base_url: str, log: Path, timeout: str) -> None:
        self._root, self._log = root, log
        self.jobs = [self._started(base_url, number, timeout) for number in range(JOBS)]

    def _started(self, base_url: str, number: int, timeout: str) -> subprocess.Popen[bytes]:
        shared, own = self._root / "shared" / "responses", self._root / f"job-{number}"
        arguments = [base_url, str(shared), str(own), str(QUESTIONS), timeout]
        command = [sys.executable, "-m", "tests.adapters.step_worker", *arguments]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def begin(self) -> None:
        for job in self.jobs:
            assert job.stdout is not None
            assert job.stdout.readline() == b"ready\n"
        for job in self.jobs:
            assert job.stdin is not None
            job.stdin.write(b"\n")
            job.stdin.flush()

    def wait_for_calls(self, least: int) -> None:
        ends_at = time.monotonic() + 60
        while len(self.calls()) < least:
            assert time.monotonic() < ends_at
            time.sleep(0.01)

    def calls(self) -> list[str]:
        return [call.body_sha256 for call in read_calls(self._log)] if self._log.exists() else []

    def outcome(self, job: subprocess.Popen[bytes]) -> dict[str, Any]:
        told, _ = job.communicate(timeout=120)
        assert job.returncode == 0
        outcome: dict[str, Any] = orjson.loads(told)
        return outcome

    def answers(self) -> Counter[str]:
        tables = Tables(self._root, places={"responses": self._root / "shared" / "responses"})
        return Counter(tables.read("responses", ["cache_key"])["cache_key"].to_pylist())


@contextmanager
def crowd(root: Path, latency_ms: float, timeout: str = "30s") -> Iterator[Crowd]:
    log = root / "calls.jsonl"
    behaviour = Behaviour(latency_ms=latency_ms)
    with RecordedEndpoint(behaviour, call_log=log, synthetic=True, directory=root) as endpoint:
        made = Crowd(root, endpoint.base_url, log, timeout)
        try:
            yield made
        finally:
            for job in made.jobs:
                with job:  # closes its pipes and waits for it
                    job.kill()


def test_four_jobs_in_step_pay_for_each_answer_once(tmp_path: Path) -> None:
    with crowd(tmp_path, 30.0) as jobs:
        jobs.begin()
        outcomes = [jobs.outcome(job) for job in jobs.jobs]
    assert Counter(jobs.calls()).total() == len(set(jobs.calls())) == QUESTIONS
    assert [outcome["texts"] for outcome in outcomes] == [outcomes[0]["texts"]] * JOBS
    assert sum(outcome["added"] for outcome in outcomes) == QUESTIONS
    assert set(jobs.answers().values()) == {1}
    assert len(jobs.answers()) == QUESTIONS


def test_a_job_that_is_killed_costs_the_others_what_it_had_in_flight(tmp_path: Path) -> None:
    with crowd(tmp_path, 100.0) as jobs:
        jobs.begin()
        jobs.wait_for_calls(30)
        jobs.jobs[0].send_signal(signal.SIGKILL)
        outcomes = [jobs.outcome(job) for job in jobs.jobs[1:]]
    assert QUESTIONS <= len(jobs.calls()) <= QUESTIONS + IN_FLIGHT
    assert [outcome["texts"] for outcome in outcomes] == [outcomes[0]["texts"]] * (JOBS - 1)
    assert not any(text.startswith("!") for text in outcomes[0]["texts"])
    assert set(jobs.answers().values()) == {1}


def test_a_job_that_hangs_holds_up_the_others_for_no_longer_than_a_request_may_take(
    tmp_path: Path,
) -> None:
    with crowd(tmp_path, 100.0, timeout="2s") as jobs:
        jobs.begin()
        jobs.wait_for_calls(30)
        jobs.jobs[0].send_signal(signal.SIGSTOP)
        began = time.monotonic()
        outcomes = [jobs.outcome(job) for job in jobs.jobs[1:]]
        took_s = time.monotonic() - began
    assert took_s < 20, "three batches, of which each may meet what is stuck"
    assert QUESTIONS <= len(jobs.calls()) <= QUESTIONS + IN_FLIGHT * (JOBS - 1)
    assert not any(text.startswith("!") for outcome in outcomes for text in outcome["texts"])
