"""When to send: an open loop, fixed in advance, that a stall delays but never thins out."""

from __future__ import annotations

import math
from dataclasses import dataclass

_ROUNDING = 1e-3  # of an interval: clocks show large numbers, which a float rounds


@dataclass(frozen=True, slots=True)
class OpenLoop:
    """Events at a constant rate; event n (from 0) is due n / rate after the start.

    Every question is answered from the start time, so errors never add up: who was held up finds
    all that he missed to be due.

    Attributes:
        rate_per_s: events per second, above 0.
        started_s: time of event 0 on any steady clock.
    """

    rate_per_s: float
    started_s: float

    def due(self, now_s: float) -> int:
        """How many events should have happened by now.

        >>> OpenLoop(10, 100.0).due(100.0), OpenLoop(10, 100.0).due(101.0)
        (1, 11)
        """
        if now_s < self.started_s:
            return 0
        return math.floor((now_s - self.started_s) * self.rate_per_s + _ROUNDING) + 1

    def time_of(self, event: int) -> float:
        """When this event is due, on the same clock."""
        return self.started_s + event / self.rate_per_s
