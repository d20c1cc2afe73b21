"""A worker's life ends when it is silent or works for too long; nobody else's does."""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest
from pyspark import TaskContext

from streaming_eval.adapters.dead_mans_switch import DeadMansSwitch
from streaming_eval.pipeline.worker_life import WorkerLife, worker_life

_START = """
import os, signal, time
from pyspark import TaskContext
from streaming_eval.pipeline.worker_life import worker_life
TaskContext._getOrCreate()
life = worker_life(2.0)
"""
_LIVES_ON = {
    "time.sleep(4)": True,
    "with life.working(60): time.sleep(4)": True,
    "with life.working(1): time.sleep(60)": False,
    "os.kill(os.getpid(), signal.SIGSTOP); time.sleep(60)": False,
    "assert worker_life(2.0) is life": True,
}


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_work_within_its_limit_goes_on_and_leaves_nothing_behind() -> None:
    clock = Clock()
    life = WorkerLife(clock)
    with life.working(10.0):
        clock.now_s = 9.9
        assert life.goes_on
    clock.now_s = 1_000.0
    assert life.goes_on


def test_work_beyond_its_limit_does_not_go_on() -> None:
    clock = Clock()
    life = WorkerLife(clock)
    with life.working(10.0):
        clock.now_s = 10.0
        assert not life.goes_on


def test_work_that_fails_is_over() -> None:
    clock = Clock()
    life = WorkerLife(clock)
    with pytest.raises(RuntimeError), life.working(10.0):
        raise RuntimeError
    clock.now_s = 1_000.0
    assert life.goes_on


def test_a_process_that_is_no_worker_is_not_watched() -> None:
    assert worker_life(60.0) is not worker_life(60.0)


def test_a_worker_without_a_timer_works_unwatched_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(after_s: float) -> None:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(TaskContext, "get", object)
    monkeypatch.setattr(DeadMansSwitch, "available", lambda: True)
    monkeypatch.setattr(DeadMansSwitch, "__init__", lambda self, after_s: refuse(after_s))
    with worker_life(61.0).working(1.0):
        assert "nobody ends it" in caplog.text


@pytest.mark.skipif(not DeadMansSwitch.available(), reason="only Linux has this timer")
def test_a_worker_lives_as_long_as_it_gets_on() -> None:
    processes = {
        program: subprocess.Popen([sys.executable, "-c", _START + program]) for program in _LIVES_ON
    }
    codes = {program: process.wait(60) == 0 for program, process in processes.items()}
    assert codes == _LIVES_ON
