"""Two attempts at one task never work at once, whatever becomes of the first."""

from __future__ import annotations

import fcntl
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streaming_eval.adapters.attempt_turn import AttemptTurn, close_batch, open_batch
from streaming_eval.errors import StorageError

_WAIT_S = 20.0
_HOLDER = """
import sys, time
from pathlib import Path
from streaming_eval.adapters.attempt_turn import AttemptTurn
with AttemptTurn(Path(sys.argv[1]), 0):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def batch(tmp_path: Path) -> None:
    open_batch(tmp_path)


@contextmanager
def other_process(spool: Path) -> Iterator[subprocess.Popen[str]]:
    """One that holds the turn of task 0."""
    command = [sys.executable, "-c", _HOLDER, str(spool)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def second_attempt(spool: Path) -> Iterator[Callable[[], bool]]:
    """Waits for the turn in a thread; gives a function that waits until it has it."""
    has_it = threading.Event()

    def attempt() -> None:
        with AttemptTurn(spool, 0):
            has_it.set()

    thread = threading.Thread(target=attempt)
    thread.start()
    try:
        yield lambda: has_it.wait(_WAIT_S)
    finally:
        thread.join(_WAIT_S)
    assert not thread.is_alive()


def waits(caplog: pytest.LogCaptureFixture) -> bool:
    """Returns once somebody waits for the turn."""
    for _ in range(int(_WAIT_S * 100)):
        if "waiting for another attempt" in caplog.text:
            return True
        threading.Event().wait(0.01)
    return False


def test_a_second_attempt_goes_on_when_the_first_has_ended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = AttemptTurn(tmp_path, 0)
    with first:
        second = second_attempt(tmp_path)
        goes_on = second.__enter__()
        assert waits(caplog)
    assert goes_on()
    second.__exit__(None, None, None)


def test_a_second_attempt_goes_on_when_the_process_of_the_first_is_killed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with other_process(tmp_path) as first, second_attempt(tmp_path) as goes_on:
        assert waits(caplog)
        first.send_signal(signal.SIGKILL)
        assert goes_on()


def test_a_process_that_is_stopped_keeps_its_turn_until_it_is_dead(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with other_process(tmp_path) as first:
        first.send_signal(signal.SIGSTOP)
        with second_attempt(tmp_path) as goes_on:
            assert waits(caplog)
            first.kill()
            assert goes_on()


def test_other_tasks_of_the_batch_do_not_wait(tmp_path: Path) -> None:
    with AttemptTurn(tmp_path, 0), AttemptTurn(tmp_path, 1):
        assert len(list(tmp_path.glob("*.turn"))) == 2


def test_an_attempt_after_the_end_of_its_batch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="came too late"), AttemptTurn(tmp_path / "gone", 0):
        pass
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize("again", [False, True], ids=["closed", "opened anew"])
def test_an_attempt_that_waited_until_the_end_of_its_batch_is_refused(
    tmp_path: Path, again: bool
) -> None:
    with AttemptTurn(tmp_path, 0) as turn:
        turn.confirm()
        close_batch(tmp_path)
        if again:
            open_batch(tmp_path)
            with AttemptTurn(tmp_path, 1):
                pass
        with pytest.raises(StorageError, match="came too late"):
            turn.confirm()


def test_a_batch_may_be_closed_twice(tmp_path: Path) -> None:
    for _ in range(2):
        close_batch(tmp_path)
    with pytest.raises(StorageError, match="came too late"), AttemptTurn(tmp_path, 0):
        pass


def test_without_locks_an_attempt_goes_on_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with caplog.at_level(logging.WARNING), AttemptTurn(tmp_path, 0):
        assert "No locks available" in caplog.text


def test_a_turn_leaves_no_file_open(tmp_path: Path) -> None:
    def open_files() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    before = open_files()
    for _ in range(3):
        with AttemptTurn(tmp_path, 0):
            pass
        with pytest.raises(StorageError), AttemptTurn(tmp_path / "gone", 0):
            pass
    assert open_files() == before
