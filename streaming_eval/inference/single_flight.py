"""Equal questions asked at the same time are asked once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from streaming_eval.records import Response


class SingleFlight:
    """Shares the outcome of a call among all who ask for its key while it is under way.

    A waiter that is cancelled leaves; the call goes on for the others and is cancelled with the
    last of them. An exception reaches every waiter. One value belongs to one event loop.
    """

    def __init__(self) -> None:
        self._flights: dict[str, _Flight] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._flights

    async def run(self, key: str, start: Callable[[], Coroutine[Any, Any, Response]]) -> Response:
        """The outcome of the call under way for `key`, or of `start()` where there is none."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.create_task(start()))
        flight.waiters += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiters -= 1
            if not flight.waiters:
                self._land(key, flight)

    def _land(self, key: str, flight: _Flight) -> None:
        flight.task.cancel()  # does nothing to a call that has ended
        if self._flights.get(key) is flight:
            del self._flights[key]


class _Flight:
    """A call under way and how many wait for it."""

    __slots__ = ("task", "waiters")

    def __init__(self, task: asyncio.Task[Response]) -> None:
        self.task = task
        self.waiters = 0
