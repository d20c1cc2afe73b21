"""How far scoring is behind the topic: asked of the broker itself.

The query's own progress knows the topic's end only as of its last trigger, so a batch that takes a
minute would show a minute-old lag.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from streaming_eval.errors import EnvironmentProblem
from streaming_eval.pipeline.observers import kafka_lag, scored_offsets

_LOG = logging.getLogger(__name__)
_EVERY_S = 2.0
Offsets = Mapping[tuple[str, int], int]


class LagWatch:
    """Measures the lag every two seconds in a thread of its own.

    Args:
        ends: the topic's end offsets, from the broker.
        progress: the score query's last progress, None before the first.
        report: told the lag by (topic, partition).
    """

    def __init__(
        self,
        ends: Callable[[], Offsets],
        progress: Callable[[], Mapping[str, Any] | None],
        report: Callable[[Offsets], None],
    ) -> None:
        self._ends, self._progress, self._report = ends, progress, report
        self._over = threading.Event()
        self._reachable = True
        self._thread = threading.Thread(target=self._watch, name="lag", daemon=True)

    def start(self) -> None:
        """Begins to measure."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the measuring; returns when the thread has ended."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(_EVERY_S):
            progress = self._progress()
            if progress is None:
                continue
            try:
                self._report(kafka_lag(scored_offsets(progress), self._ends()))
            except EnvironmentProblem as problem:
                self._say_once(problem)
            else:
                self._reachable = True

    def _say_once(self, problem: EnvironmentProblem) -> None:
        if self._reachable:
            _LOG.warning("the lag is unknown: %s", problem)
        self._reachable = False
