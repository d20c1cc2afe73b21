"""Equal questions asked at the same time are asked once; an answer under way is not thrown away.

Waiters and calls end independently: a waiter may leave, or be sent away, while the call goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from itertools import count
from typing import Any

from streaming_eval.errors import PermanentError
from streaming_eval.inference.calls.sent import Sent, noting
from streaming_eval.inference.complete import Complete, failed
from streaming_eval.records import Request, Response

_LOG = logging.getLogger(__name__)


class SingleFlight:
    """Shares the outcome of a call among all who ask for its key while it is under way.

    A waiter that is cancelled leaves; the call goes on for the others and is cancelled with the
    last of them. An exception reaches every waiter. One value belongs to one event loop, and may
    outlive the batch: a call that lingers from an earlier one is shared like any other.
    """

    def __init__(self) -> None:
        self._flights: dict[str, _Flight] = {}
        self._given_up: PermanentError | None = None
        self._begun = 0

    def __contains__(self, key: str) -> bool:
        return key in self._flights

    @property
    def begun(self) -> int:
        """Calls begun or taken over since the last `resume`."""
        return self._begun

    @property
    def lingering(self) -> int:
        """Calls under way that nobody waits for any more."""
        return sum(not flight.waiters for flight in self._flights.values())

    def awaited(self) -> Iterator[Sent]:
        """What each call has sent that somebody waits for."""
        return (flight.sent for flight in self._flights.values() if flight.waiters)

    async def run(self, key: str, start: Callable[[], Coroutine[Any, Any, Response]]) -> Response:
        """The outcome of the call under way for `key`, or of `start()` where there is none."""
        if self._given_up is not None:
            return failed(self._given_up)
        flight = self._flights.get(key) or self._take_off(key, start)
        self._begun += not flight.waiters  # one of an earlier batch is now this one's, too
        waiter: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        flight.waiters.add(waiter)
        try:
            return await waiter
        finally:
            flight.waiters.discard(waiter)
            if not flight.waiters and not flight.lingers:
                self._abandon(key, flight)

    async def give_up(self, error: PermanentError, not_begun: PermanentError | None = None) -> None:
        """Sends every waiter away, now and until `resume`.

        Args:
            error: for those whose call has sent something, or waits for what another process sent.
            not_begun: for all others; as `error` when absent.

        Calls with an HTTP request under way go on without them, since their answers will have to
        be paid for; they send nothing more. All others are cancelled.
        """
        self._given_up = not_begun or error
        cancelled = []
        for key, flight in list(self._flights.items()):
            flight.sent.barred = error
            flight.lingers = flight.sent.under_way > 0
            sent = flight.sent.total
            asked = sent or flight.sent.elsewhere
            response = failed(error if asked else self._given_up, sent)
            for waiter in flight.waiters:
                if not waiter.done():
                    waiter.set_result(response)
            flight.waiters.clear()
            if not flight.lingers:
                cancelled.append(flight.task)
                self._abandon(key, flight)
        await asyncio.gather(*cancelled, return_exceptions=True)

    def resume(self) -> None:
        """Lets calls begin again after `give_up`."""
        self._given_up, self._begun = None, 0

    async def drain(self, at_most_s: float) -> None:
        """Waits so long for the calls that linger, and cancels those that still do."""
        left = [flight.task for flight in self._flights.values() if not flight.waiters]
        if left:
            _, late = await asyncio.wait(left, timeout=at_most_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _take_off(self, key: str, start: Callable[[], Coroutine[Any, Any, Response]]) -> _Flight:
        flight = self._flights[key] = _Flight(start)
        flight.task.add_done_callback(partial(self._landed, key, flight))
        return flight

    def _landed(self, key: str, flight: _Flight, task: asyncio.Task[Response]) -> None:
        self._forget(key, flight)
        waiters = [waiter for waiter in flight.waiters if not waiter.done()]
        if task.cancelled():
            for waiter in waiters:
                waiter.cancel()
        elif (error := task.exception()) is not None:
            for waiter in waiters:
                waiter.set_exception(error)
            if not waiters:
                _LOG.error("a call that nobody waited for any more failed: %s", error)
        else:
            for waiter in waiters:
                waiter.set_result(task.result())

    def _abandon(self, key: str, flight: _Flight) -> None:
        flight.task.cancel()  # does nothing to a call that has ended
        self._forget(key, flight)

    def _forget(self, key: str, flight: _Flight) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]


class _Flight:
    """A call under way, what it has sent, and who waits for it."""

    __slots__ = ("lingers", "sent", "task", "waiters")

    def __init__(self, start: Callable[[], Coroutine[Any, Any, Response]]) -> None:
        self.lingers = False
        self.sent = Sent()
        self.waiters: set[asyncio.Future[Response]] = set()
        self.task = asyncio.ensure_future(self._fly(start))

    async def _fly(self, start: Callable[[], Coroutine[Any, Any, Response]]) -> Response:
        with noting(self.sent):
            return await start()


def with_flights(complete: Complete, flights: SingleFlight) -> Complete:
    """`complete` with each call a flight of its own, for a stack without a cache above it."""
    numbers = count()

    async def flying(request: Request) -> Response:
        async def ask() -> Response:
            return await complete(request)

        return await flights.run(f"#{next(numbers)}", ask)

    return flying
