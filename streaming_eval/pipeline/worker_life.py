"""Ends a Python worker that stands still, so that Spark tries its task again elsewhere.

Spark waits for a worker for ever. Its own switch for idle workers (`killOnIdleTimeout`) sends
SIGTERM, which a stopped process does not act on, and counts a batch that waits for slow answers as
idle. So each worker holds a dead man's switch, pushed by a thread: a process that is stopped, stuck
in C code with the interpreter's lock, or too short of memory to go on stops pushing. The thread
also stops when the work on a batch takes longer than it can take while the event loop is alive.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

from pyspark import TaskContext

from streaming_eval.adapters.dead_mans_switch import DeadMansSwitch

_LOG = logging.getLogger(__name__)
_PUSHES = 10  # while the switch waits


@dataclass(frozen=True, slots=True)
class LifeLimits:
    """After how many seconds a worker counts as hanging.

    Attributes:
        silence_s: without a sign of life.
        work_s: at its part of one batch.
    """

    silence_s: float
    work_s: float


class WorkerLife:
    """Decides whether the process still gets on with its work.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends_at = float("inf")

    @property
    def goes_on(self) -> bool:
        """False once work has taken longer than it may."""
        return self._clock() < self._ends_at

    @contextmanager
    def working(self, at_most_s: float) -> Iterator[None]:
        """Surrounds work that takes at most so many seconds unless something hangs."""
        self._ends_at = self._clock() + at_most_s
        try:
            yield
        finally:
            self._ends_at = float("inf")


def worker_life(silence_s: float) -> WorkerLife:
    """The life of this process, which ends when it has been silent for so many seconds.

    To be called in each task; only Spark's workers are watched.
    """
    return WorkerLife() if TaskContext.get() is None else _watched(silence_s)


@cache
def _watched(silence_s: float) -> WorkerLife:
    life = WorkerLife()
    if DeadMansSwitch.available():
        try:
            switch = DeadMansSwitch(silence_s)
        except OSError as error:
            _LOG.warning("should this worker hang, nobody ends it: %s", error)
            return life
        every_s = silence_s / _PUSHES
        threading.Thread(
            target=_push, args=(switch, life, every_s), name="sign-of-life", daemon=True
        ).start()
    return life


def _push(switch: DeadMansSwitch, life: WorkerLife, every_s: float) -> None:
    while life.goes_on:
        switch.push()
        time.sleep(every_s)
    _LOG.error("this worker's part of a batch takes too long, so it ends; its task is tried again")
    os.kill(os.getpid(), signal.SIGKILL)
