"""Places for calls in flight, of which those that are stuck do not keep others waiting."""

from __future__ import annotations

import asyncio
from collections import deque

_OVERTAKEN_BY = 4


class Places:
    """At most `limit` lively calls and `share` calls in all; the others wait in order of arrival.

    A call that four times `limit` others have overtaken is overdue, and no longer lively: somebody
    else gets its place, as long as no more than `share` calls are open. It changes nothing for the
    call itself. When all calls are slow nobody overtakes, and no more get in.

    Args:
        limit: lively calls at once, at least 1; may be changed at any time.
        share: calls open at once, overdue ones included, at least `limit`.
    """

    def __init__(self, limit: int, share: int) -> None:
        self._limit, self._share = limit, share
        self._ended = self._taken = 0
        self._lively: dict[int, int] = {}  # how many had ended when it began; oldest first
        self._overdue: set[int] = set()
        self._waiting: deque[asyncio.Future[int]] = deque()
        self._had_to_wait = False

    @property
    def limit(self) -> int:
        return self._limit

    @limit.setter
    def limit(self, value: int) -> None:
        self._limit = value
        self._admit()

    @property
    def in_flight(self) -> int:
        """Calls that hold a place, overdue ones included."""
        return len(self._lively) + len(self._overdue)

    @property
    def overdue(self) -> int:
        return len(self._overdue)

    def pressed(self) -> bool:
        """Whether anyone waits, or has had to wait since this was last asked."""
        pressed, self._had_to_wait = self._had_to_wait or bool(self._waiting), False
        return pressed

    async def enter(self) -> int:
        """Waits for a place and returns its number."""
        if self._room():  # then nobody waits
            return self._take()
        self._had_to_wait = True
        waiter: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        self._admit()
        try:
            return await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():  # the place was given just before
                self.leave(waiter.result())
            raise

    def leave(self, place: int) -> None:
        """Gives a place back."""
        if self._lively.pop(place, None) is None:
            self._overdue.discard(place)
        self._ended += 1
        self._set_aside()
        if self._waiting:
            self._admit()

    def _room(self) -> bool:
        return len(self._lively) < self._limit and self.in_flight < self._share

    def _take(self) -> int:
        self._taken += 1
        self._lively[self._taken] = self._ended
        return self._taken

    def _admit(self) -> None:
        while self._waiting and (self._waiting[0].done() or self._room()):
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(self._take())

    def _set_aside(self) -> None:
        bound = self._ended - _OVERTAKEN_BY * self._limit
        while self._lively:
            oldest = next(iter(self._lively))
            if self._lively[oldest] > bound:
                break
            del self._lively[oldest]
            self._overdue.add(oldest)
