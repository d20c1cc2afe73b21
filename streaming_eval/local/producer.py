"""Plays production: sends replayed samples at a steady rate, or as fast as it goes.

In a thread of the caller, by `SampleProducer`, or as a process of its own:

    python -m streaming_eval.local.producer --bootstrap-servers localhost:9092 --rate 200
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from streaming_eval.local.sample_replay import SampleReplay, Swap, TopicRecord
from streaming_eval.local.schedule import OpenLoop

_SHORTEST_NAP_S = 0.002
_LONGEST_NAP_S = 0.1


class Writer(Protocol):
    """Where records go; `TopicWriter` in earnest."""

    @property
    def acknowledged(self) -> int: ...
    def write(self, record: TopicRecord) -> None: ...
    def collect(self) -> None: ...
    def flush(self) -> None: ...


class SampleProducer:
    """Sends the samples of a replay.

    Args:
        writer: where they are sent.
        replay: where they come from.
        steady_s: the clock of the schedule, seconds.
    """

    def __init__(
        self,
        writer: Writer,
        replay: SampleReplay,
        *,
        steady_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._writer = writer
        self._replay = replay
        self._steady_s = steady_s
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._crash: BaseException | None = None

    @property
    def acknowledged(self) -> int:
        """Records confirmed by the broker."""
        return self._writer.acknowledged

    @property
    def produced(self) -> int:
        """Samples made so far."""
        return self._replay.made

    @property
    def swapped(self) -> Swap | None:
        """When production changed its model, if it did."""
        return self._replay.swapped

    def swap(self) -> Swap:
        """Has production answer with the other model from the next sample on."""
        return self._replay.swap()

    def start(self, rate_per_s: float, limit: int | None = None) -> None:
        """Begins to send in a thread of its own; see `run`."""
        self._stopping.clear()
        self._thread = threading.Thread(
            target=self._run_guarded, args=(rate_per_s, limit), name="producer", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stops sending and waits until everything sent is acknowledged.

        Raises:
            EnvironmentProblem: the broker refused a record or did not answer in time.
        """
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._crash is not None:
            raise self._crash
        self._writer.flush()

    def request_stop(self) -> None:
        """Lets `run` return soon; may be called from a signal handler."""
        self._stopping.set()

    def run(self, rate_per_s: float, limit: int | None = None) -> None:
        """Sends at this rate until stopped, or until `limit` samples were sent.

        The schedule is fixed at the start: samples that a stall held up follow at once.
        """
        schedule = OpenLoop(rate_per_s, self._steady_s())
        sent = 0
        while not self._stopping.is_set() and (limit is None or sent < limit):
            due = schedule.due(self._steady_s())
            due = due if limit is None else min(due, limit)
            for _ in range(due - sent):
                self._writer.write(self._replay.next())
            sent = due
            self._writer.collect()
            nap_s = schedule.time_of(sent) - self._steady_s()
            self._stopping.wait(min(max(nap_s, _SHORTEST_NAP_S), _LONGEST_NAP_S))

    def produce_all(self, count: int) -> None:
        """Sends this many samples as fast as possible and waits for their acknowledgement."""
        for _ in range(count):
            self._writer.write(self._replay.next())
        self._writer.flush()

    def _run_guarded(self, rate_per_s: float, limit: int | None) -> None:
        """Keeps an error for `stop` to raise, where the caller sees it."""
        try:
            self.run(rate_per_s, limit)
        except BaseException as crash:
            self._crash = crash
