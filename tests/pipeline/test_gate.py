from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from streaming_eval.pipeline.gate import Draining, Gate

LONG_S = 10.0


class Batch:
    """A micro-batch in a thread of its own that ends when it is told to."""

    def __init__(self, gate: Gate, error: Exception | None = None) -> None:
        self.inside, self.ended = threading.Event(), threading.Event()
        self._gate, self._error, self._finish = gate, error, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self.inside.wait(LONG_S)

    def finish(self) -> None:
        self._finish.set()
        self._thread.join(LONG_S)

    def _run(self) -> None:
        try:
            with self._gate.batch():
                self.inside.set()
                self._finish.wait(LONG_S)
                if self._error:
                    raise self._error
        except RuntimeError:
            pass
        self.ended.set()


@contextmanager
def finishing_soon(batch: Batch, after_s: float) -> Iterator[None]:
    timer = threading.Timer(after_s, batch.finish)
    timer.start()
    yield
    timer.join()


def test_batches_pass_an_open_gate_even_several_at_once() -> None:
    gate = Gate()
    with gate.batch(), gate.batch():
        assert not gate.is_shut


def test_shutting_waits_for_the_batch_inside() -> None:
    gate = Gate()
    batch = Batch(gate)
    began = time.monotonic()
    with finishing_soon(batch, after_s=0.1):
        assert gate.shut(LONG_S)
    assert 0.1 <= time.monotonic() - began < LONG_S / 2
    assert batch.ended.is_set()


def test_a_shut_gate_turns_batches_away_before_they_do_anything() -> None:
    gate = Gate()
    assert gate.shut(0.0)
    assert gate.is_shut
    with pytest.raises(Draining), gate.batch():
        pytest.fail("the batch began")


def test_no_batch_begins_while_the_last_one_is_waited_for() -> None:
    gate = Gate()
    batch = Batch(gate)
    waiting = threading.Thread(target=gate.shut, args=(LONG_S,), daemon=True)
    waiting.start()
    while not gate.is_shut:
        time.sleep(0.001)
    with pytest.raises(Draining), gate.batch():
        pytest.fail("the batch began")
    assert waiting.is_alive()
    batch.finish()
    waiting.join(LONG_S)
    assert not waiting.is_alive()


def test_a_pause_lasts_as_long_as_it_should() -> None:
    began = time.monotonic()
    Gate().pause(0.03)
    assert 0.03 <= time.monotonic() - began < LONG_S / 2


def test_a_pause_ends_when_the_gate_is_shut() -> None:
    gate = Gate()
    shutting = threading.Timer(0.05, gate.shut, args=(LONG_S,))
    shutting.start()
    began = time.monotonic()
    with pytest.raises(Draining), gate.batch():
        gate.pause(LONG_S)
    assert time.monotonic() - began < LONG_S / 2
    shutting.join()


def test_a_batch_that_outlasts_the_wait_is_reported() -> None:
    gate = Gate()
    batch = Batch(gate)
    assert not gate.shut(0.02)
    batch.finish()
    assert gate.shut(0.0)


def test_a_batch_that_fails_is_out_too() -> None:
    gate = Gate()
    Batch(gate, RuntimeError()).finish()
    assert gate.shut(0.0)
