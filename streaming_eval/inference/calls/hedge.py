"""Ask a second time where the first answer is unusually late, and take whichever comes first.

The hedged request of Dean and Barroso (2013, "The Tail at Scale"). It helps against slow or stuck
connections and replicas, not against prompts that need long. A hedge is an HTTP request like any
other: it takes its own permit and may have to be paid for even when it loses, so their share is
bounded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

from streaming_eval.errors import InferenceError, RetryableError
from streaming_eval.inference.calls.recent_values import RecentValues
from streaming_eval.inference.complete import Send
from streaming_eval.records import Request, Response

_REMEMBERED = 1_000
_LEAST_KNOWN = 50
_MOST_SAVED = 10.0
_LATE_FACTOR = 2.0


@dataclass(frozen=True, slots=True)
class HedgeLimits:
    """When and how often a second request is made.

    Attributes:
        after_quantile: an attempt is late once it takes longer than this share of recent ones did,
            in (0, 1), e.g. 0.98, and twice their median: there is nothing to win by less.
        max_extra: second requests per first request at most, in [0, 1], e.g. 0.02; a calm time
            saves up no more than ten of them.
    """

    after_quantile: float
    max_extra: float


class Hedge:
    """The hedging of one endpoint's attempts; lives as long as the process.

    Args:
        limits: see `HedgeLimits`.
        clock: monotonic seconds.

    Attributes:
        extra: second attempts begun; each of them, or its first, was cut off or failed.
        won: how many of them answered first.
    """

    def __init__(self, limits: HedgeLimits, *, clock: Callable[[], float]) -> None:
        self.extra = self.won = 0
        self._limits, self._clock = limits, clock
        self._saved = 0.0
        self._took_s = RecentValues(window=_REMEMBERED, least=_LEAST_KNOWN)

    def hedged(self, send: Send, again: Send) -> Send:
        """`send`, and `again` beside it where `send` is late.

        The first answer ends both, and so does an error of `send` that cannot be retried. Where
        both fail, the error is that of `send`.

        Args:
            send: an attempt that has its permit, so that the time it takes is the endpoint's.
            again: one that gets a permit first.
        """

        async def hedged_send(request: Request) -> Response:
            self._saved = min(_MOST_SAVED, self._saved + self._limits.max_extra)
            late_s = self._late_s()
            if late_s == inf:
                return await self._timed(send, request)
            return await self._raced(request, send, again, late_s)

        return hedged_send

    def _late_s(self) -> float:
        """From when on an attempt is late; endless while that is not known."""
        usual_s = self._took_s.quantile(self._limits.after_quantile)
        median_s = self._took_s.quantile(0.5)
        if usual_s is None or median_s is None:
            return inf
        return max(usual_s, _LATE_FACTOR * median_s)

    async def _timed(self, send: Send, request: Request) -> Response:
        """The first attempt; one that is cut off or fails late counts as late, like an answer."""
        began = self._clock()
        try:
            response = await send(request)
        except (asyncio.CancelledError, InferenceError):
            took_s = self._clock() - began
            if took_s >= self._late_s():
                self._took_s.add(took_s)
            raise
        self._took_s.add(self._clock() - began)
        return response

    async def _raced(self, request: Request, send: Send, again: Send, late_s: float) -> Response:
        racers = [asyncio.ensure_future(self._timed(send, request))]
        try:
            done, _ = await asyncio.wait(racers, timeout=late_s)
            if not done and self._saved >= 1:
                self._saved -= 1
                self.extra += 1
                racers.append(asyncio.ensure_future(again(request)))
            winner = await _decided(racers)
            self.won += winner is not racers[0]
            return winner.result()
        finally:
            await _cut_off(racers)


async def _decided(racers: Sequence[asyncio.Task[Response]]) -> asyncio.Task[Response]:
    """The first to answer; the first attempt, once it has failed for good or both have failed."""
    under_way = set(racers)
    while True:
        done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
        for task in racers:
            if task in done and task.exception() is None:
                return task
        if not under_way or (racers[0] in done and not _retryable(racers[0])):
            return racers[0]


def _retryable(task: asyncio.Task[Response]) -> bool:
    return isinstance(task.exception(), RetryableError)


async def _cut_off(racers: Sequence[asyncio.Task[Response]]) -> None:
    """Ends what still runs and waits for its end, so that nothing is left behind."""
    if len(racers) > 1 or not racers[0].done():
        for task in racers:
            task.cancel()  # does nothing to one that has ended
        await asyncio.gather(*racers, return_exceptions=True)
