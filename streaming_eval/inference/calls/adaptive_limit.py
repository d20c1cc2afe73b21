"""As many calls in flight as the endpoint takes without slowing down, found by trying.

The rule of TCP Vegas (Brakmo, Peterson 1995) as Netflix applies it to services ("Performance Under
Load", 2018): while answers come about as fast as they do under light load, more calls may be under
way; once they take `tolerance` times as long, calls only queue at the endpoint, and there are to be
fewer. The yardstick is the median of many answers, which a few stuck calls do not move.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf, sqrt
from statistics import median_low

from streaming_eval.inference.calls.places import Places
from streaming_eval.inference.complete import Complete
from streaming_eval.records import Request, Response

_OVERLOADED = frozenset(("deadline", "timeout", "http_429", "http_503", "http_504"))
_MOST_SHRUNK = 0.5
_SHRINKS_BEFORE_MEASURING = 10


@dataclass(frozen=True, slots=True)
class InFlightLimits:
    """Within what the number of calls in flight may move.

    Attributes:
        least: of lively calls, where it begins, and where answers count as unhindered; at least 1.
        most: of lively calls.
        share: calls open at once, overdue ones included (see `Places`), never more; at least
            `most`. With a fraction p of calls stuck for d seconds and the others taking l, the
            others keep their pace while share - most >= most * p * d / l.
        tolerance: how many times as long as under light load an answer may take, above 1.
    """

    least: int
    most: int
    share: int
    tolerance: float

    @classmethod
    def fixed(cls, most: int) -> InFlightLimits:
        """Always so many, however long answers take."""
        return cls(least=most, most=most, share=most, tolerance=inf)


class AdaptiveLimit:
    """The calls in flight of one endpoint; lives as long as the process, so that it keeps its feel.

    It belongs outside `with_retry`.

    Args:
        limits: see `InFlightLimits`.
    """

    def __init__(self, limits: InFlightLimits) -> None:
        self._limits, self._places = limits, Places(limits.least, limits.share)
        self._window: list[float] = []
        self._era = 0  # a call counts only under the limit under which it began
        self._unhindered = inf
        self._doubling, self._settled = True, False
        self._shrinks = self._before_measuring = 0

    @property
    def limit(self) -> int:
        """Lively calls at once, now."""
        return self._places.limit

    @property
    def in_flight(self) -> int:
        """Calls under way, overdue ones included."""
        return self._places.in_flight

    @property
    def overdue(self) -> int:
        """Calls under way that so many have overtaken that others got their places."""
        return self._places.overdue

    def limited(self, complete: Complete) -> Complete:
        """`complete`, at most so many at once; the others wait in order of arrival."""

        async def limited_complete(request: Request) -> Response:
            place = await self._places.enter()
            era = self._era
            try:
                response = await complete(request)
            finally:
                self._places.leave(place)
            if era == self._era:
                self._learn(response)
            return response

        return limited_complete

    def _learn(self, response: Response) -> None:
        if response.error in _OVERLOADED:
            self._window.append(inf)
        elif response.latency_ms is not None:
            self._window.append(response.latency_ms)
        enough = max(32, self.limit) if self._doubling else max(64, 2 * self.limit)
        if len(self._window) >= enough:
            self._adapt(median_low(self._window))
            self._window.clear()

    def _adapt(self, median: float) -> None:
        self._compare(median)
        pressed, bearable = self._places.pressed(), self._limits.tolerance * self._unhindered
        if median == inf or median > bearable:
            limit = self._shrunk(0.0 if median == inf else bearable / median)
        elif self._before_measuring:
            limit, self._before_measuring = self._before_measuring, 0
        elif pressed:
            limit = 2 * self.limit if self._doubling else self.limit + ceil(sqrt(self.limit))
        else:
            limit = self.limit
        self._set(max(self._limits.least, min(self._limits.most, limit)))

    def _compare(self, median: float) -> None:
        """Keeps the yardstick: how long an answer takes when calls do not get in each other's way.

        As few as `least` calls cannot be what slows the endpoint down. A lower median counts in
        part only, since the lowest of many is low by chance, and not at all after a change of the
        limit, since of calls that begin together the short ones end first.
        """
        if self.limit <= self._limits.least:
            self._unhindered = median
        elif self._settled and median < self._unhindered:
            self._unhindered += (median - self._unhindered) / 4

    def _shrunk(self, ratio: float) -> int:
        """A smaller limit; now and then the least one, to measure how fast the endpoint is now."""
        self._shrinks += 1
        limit = int(self.limit * max(_MOST_SHRUNK, ratio))
        self._doubling = limit <= self._limits.least  # it is known to be too low for long
        if self._shrinks < _SHRINKS_BEFORE_MEASURING:
            return limit
        self._shrinks, self._before_measuring = 0, limit
        return self._limits.least

    def _set(self, limit: int) -> None:
        self._doubling = self._doubling and limit < self._limits.most
        self._settled = limit == self.limit
        if not self._settled:
            self._places.limit = limit
            self._era += 1
