"""The thread that tries waiting samples again."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from streaming_eval.pipeline import retry_loop
from streaming_eval.pipeline.gate import Draining, Gate
from streaming_eval.pipeline.retry_loop import RetryLoop

PATIENCE_S = 10


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry_loop, "_EVERY_S", 0.001)


def retry_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "retries"]


def ended() -> bool:
    """By itself: nobody has stopped it."""
    for thread in retry_threads():
        thread.join(PATIENCE_S)
    return not retry_threads()


class Tries:
    """Counts tries; each ends as `outcome` has it end."""

    def __init__(self, outcome: Callable[[int], bool]) -> None:
        self.n, self._outcome = 0, outcome
        self.third = threading.Event()

    def __call__(self) -> bool:
        self.n += 1
        if self.n >= 3:
            self.third.set()
        return self._outcome(self.n)


@pytest.mark.parametrize("anything_due", [True, False])
def test_it_asks_again_and_again_whether_or_not_there_was_anything(anything_due: bool) -> None:
    tries = Tries(lambda n: anything_due)
    loop = RetryLoop(tries)
    assert not retry_threads(), "not before it is started"
    loop.start()
    assert tries.third.wait(PATIENCE_S)
    loop.stop()
    assert not retry_threads()
    assert loop.error is None


def test_it_ends_quietly_once_the_gate_is_shut() -> None:
    gate = Gate()

    def passing(n: int) -> bool:
        with gate.batch():
            return True

    tries = Tries(passing)
    loop = RetryLoop(tries)
    loop.start()
    assert tries.third.wait(PATIENCE_S)
    gate.shut(PATIENCE_S)
    assert ended()
    assert loop.error is None
    loop.stop()


def test_draining_in_the_first_try_is_no_error() -> None:
    def draining(n: int) -> bool:
        raise Draining

    tries = Tries(draining)
    loop = RetryLoop(tries)
    loop.start()
    assert ended()
    assert (tries.n, loop.error) == (1, None)


def test_an_error_is_kept_and_ends_it() -> None:
    error = OSError("no space left")

    def failing(n: int) -> bool:
        if n == 2:
            raise error
        return True

    tries = Tries(failing)
    loop = RetryLoop(tries)
    loop.start()
    assert ended()
    assert tries.n == 2
    assert loop.error is error
    loop.stop()


def test_stopping_waits_for_the_batch_under_way() -> None:
    inside, may_end, done = threading.Event(), threading.Event(), threading.Event()

    def slow(n: int) -> bool:
        inside.set()
        assert may_end.wait(PATIENCE_S)
        done.set()
        return True

    loop = RetryLoop(Tries(slow))
    loop.start()
    assert inside.wait(PATIENCE_S)
    threading.Timer(0.01, may_end.set).start()
    loop.stop()
    assert done.is_set()
    assert not retry_threads()
