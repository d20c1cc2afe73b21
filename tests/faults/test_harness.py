"""The fault runs' own parts: what they would miss if they were wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.checks import Checks
from tests.faults.job import JobError, JobProcess, session_members
from tests.faults.moments import AIMS, BEFORE_THE_FIRST_BATCH, EARLY_S, schedule
from tests.faults.options import Options
from tests.faults.processes import forget_peak, peak_bytes, resident_bytes
from tests.faults.topic import EPOCH_MS, replayed, sample_ids


def test_equal_members_and_values_pass() -> None:
    checks = Checks()
    checks.same_members("ids", ["a", "b"], ["b", "a"])
    checks.same_values("scores", {"a": 1.0}, {"a": 1.0})
    assert checks.failures == []


@pytest.mark.parametrize(
    ("got", "word"),
    [(["a", "b", "b"], "once"), (["a"], "missing"), (["a", "b", "c"], "unexpected")],
)
def test_a_double_a_missing_and_an_unexpected_member_fail(got: list[str], word: str) -> None:
    checks = Checks()
    checks.same_members("ids", got, ["a", "b"])
    assert len(checks.failures) == 1
    assert word in checks.failures[0]


def test_values_are_compared_to_the_last_bit() -> None:
    checks = Checks()
    checks.same_values("bounds", {"a": 0.1 + 0.2}, {"a": 0.3})
    assert "1 differ" in checks.failures[0]


def test_equal_seeds_give_equal_moments_and_others_do_not() -> None:
    assert schedule(8, seed=1) == schedule(8, seed=1)
    assert schedule(8, seed=1) != schedule(8, seed=2)


@pytest.mark.parametrize("seed", range(20))
def test_two_moments_are_early_and_eight_aim_at_every_step(seed: int) -> None:
    moments = schedule(8, seed)
    assert [moment.at_s <= EARLY_S for moment in moments] == [True, True] + [False] * 6
    assert moments[0].aim == BEFORE_THE_FIRST_BATCH
    assert {moment.aim for moment in moments} - {""} == set(AIMS)


def test_replayed_samples_are_equal_for_equal_seeds_and_in_order() -> None:
    first, again = (replayed(50, "x", seed=3, step_ms=10, swap=True) for _ in range(2))
    assert first == again
    assert len(set(sample_ids(first))) == 50
    assert b"2025-06-01T00:00:00.500Z" in (first[-1].value or b"")
    assert EPOCH_MS % 3_600_000 == 0


@pytest.mark.slow
def test_a_killed_job_leaves_nobody_behind_and_a_broken_one_says_why(tmp_path: Path) -> None:
    with JobProcess(["--config", str(tmp_path / "none.yaml")], tmp_path / "log") as job:
        assert job.wait(60) == 2
        assert "none.yaml" in str(job.failure("ended"))
    with JobProcess(["--help"], tmp_path / "log") as job, pytest.raises(JobError, match="has not"):
        job.wait(0.01)
    assert not job.running


def test_the_members_of_a_session_are_found_in_whatever_group_they_are() -> None:
    child = "import os, subprocess, sys, time; os.setpgid(0, 0); print(flush=True); time.sleep(60)"
    parent = (
        f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {child!r}]); p.wait()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        members = session_members(process.pid)
        for pid in members:
            os.kill(pid, signal.SIGKILL)
    assert len(members) == 2


def test_a_peak_of_memory_is_seen_after_it_is_over_until_it_is_forgotten() -> None:
    forget_peak(os.getpid())
    before = resident_bytes(os.getpid())
    taken = bytearray(b"x") * 2**27
    del taken
    assert peak_bytes(os.getpid()) - before > 2**26
    forget_peak(os.getpid())
    assert peak_bytes(os.getpid()) - before < 2**26
    assert resident_bytes(-1) == 0


def test_a_scenario_is_never_scaled_to_nothing() -> None:
    options = Options(samples=1, kills=1, seed=1, scale=0.1, say=print)
    assert [options.scaled(n) for n in (1_000, 10)] == [100, 8]
