"""Of all processes on a cache one at a time asks a question; the others wait for its answer.

    share -> budget -> in-flight limit -> retry -> breaker -> quota -> guard -> HTTP

The guard claims the cache key right before the HTTP request, so no process ever claims more than it
has in flight. Who then looks for an answer sees all that were kept before the claim was given up;
so while claims hold, an answer is paid for once. Who finds the key claimed, or answered, unwinds to
`share`, which waits outside of everything: with no place, no permit and no money.

A claim ends with the process that holds it. One that is held for longer than a request may take is
its holder's own: the question is asked without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Protocol

from streaming_eval.errors import AskedElsewhere
from streaming_eval.inference.calls.sent import awaiting_another
from streaming_eval.inference.complete import Send
from streaming_eval.records import Request, Response

Ask = Callable[[], Awaitable[Response]]
Share = Callable[[str, Ask], Awaitable[Response]]
"""Makes a call that is known by its cache key, unless its answer comes from elsewhere."""

_GATHER_S = 0.002
_SHORTEST_PAUSE_S = 0.01
_LONGEST_PAUSE_S = 0.25
_PAUSE_SHARE = 0.25
_ELSEWHERE = AskedElsewhere().reason


class Neighbours(Protocol):
    """The other processes that use the same cache, and what they have been answered."""

    def present(self) -> bool:
        """Whether a job beside this one uses the cache now; cheap."""

    def take(self, key: str) -> bool:
        """Claims a cache key; False where another process has claimed it. Never waits."""

    def release(self, key: str) -> None:
        """Gives up a claim, if there is one."""

    def taken(self, key: str) -> bool:
        """Whether another process has claimed the key."""

    def answers(self, keys: Iterable[str]) -> Mapping[str, Response]:
        """Cache key to answer, of all that anybody had kept before this was asked."""


async def unshared(key: str, ask: Ask) -> Response:
    """The `Share` of a process that has its cache for itself."""
    return await ask()


class Claims:
    """The claims of one process, on one event loop.

    Args:
        neighbours: whom the cache is shared with.
        counts: whether an answer may be used now.
        sleep: waits that many seconds.
    """

    def __init__(
        self,
        neighbours: Neighbours,
        counts: Callable[[Response], bool],
        sleep: Callable[[float], Awaitable[object]],
    ) -> None:
        self._neighbours, self._counts, self._sleep = neighbours, counts, sleep
        self._hung: set[str] = set()  # claimed by a process that has not let go in time
        self._wanted: set[str] = set()
        self._looking: asyncio.Task[Mapping[str, Response]] | None = None

    def guarded(self, send: Send, keys: Callable[[Request], Iterable[str]]) -> Send:
        """`send`, made only by who has claimed what it asks; it belongs inside a `share`.

        Args:
            send: one HTTP request.
            keys: the cache keys of all that is asked in a request.

        Raises:
            AskedElsewhere: one of them is claimed by another process, or has an answer.
        """

        async def guarded_send(request: Request) -> Response:
            if not self._neighbours.present():
                return await send(request)
            claimed = self._take(sorted(keys(request)))  # one order, so that nobody crosses
            try:
                if await self._look(claimed):
                    raise AskedElsewhere
                return await send(request)
            except BaseException:
                self._release(claimed)
                raise

        return guarded_send

    def share(self, patience_s: float) -> Share:
        """What makes a call over a guarded `send`, and keeps the answer, or waits for another's.

        An answer that comes from elsewhere is marked `cached`.

        Args:
            patience_s: in all, spent on waiting for other processes during one call.
        """

        async def shared(key: str, ask: Ask) -> Response:
            elsewhere = self._neighbours.present() and self._neighbours.taken(key)
            left_s = patience_s
            while True:
                if elsewhere:
                    answer, left_s = await self._wait(key, patience_s, left_s)
                    if answer is not None:
                        return replace(answer, cached=True)
                try:
                    response = await ask()
                finally:
                    self._neighbours.release(key)
                if response.error != _ELSEWHERE:
                    return response
                elsewhere = True

        return shared

    async def _wait(
        self, key: str, patience_s: float, left_s: float
    ) -> tuple[Response | None, float]:
        """The other's answer, None where the key is free or its holder hangs; patience left."""
        with awaiting_another():
            while True:
                answer = (await self._look([key])).get(key)
                if answer is not None or not self._neighbours.taken(key):
                    self._hung.discard(key)
                    return answer, left_s
                if left_s <= 0:
                    self._hung.add(key)
                if key in self._hung:
                    return None, left_s
                pause_s = _PAUSE_SHARE * (patience_s - left_s)
                pause_s = min(left_s, max(_SHORTEST_PAUSE_S, min(_LONGEST_PAUSE_S, pause_s)))
                await self._sleep(pause_s)
                left_s -= pause_s + _GATHER_S

    def _take(self, keys: list[str]) -> list[str]:
        """The keys, those that are claimed now; hung ones are asked for without a claim."""
        for n, key in enumerate(keys):
            if self._neighbours.take(key):
                self._hung.discard(key)
            elif key not in self._hung:
                self._release(keys[:n])
                raise AskedElsewhere
        return keys

    def _release(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._neighbours.release(key)

    async def _look(self, keys: list[str]) -> Mapping[str, Response]:
        """The answers that count; one look serves all who ask for one at about the same time."""
        self._wanted.update(keys)
        if self._looking is None:
            self._looking = asyncio.ensure_future(self._look_soon())
        found = await asyncio.shield(self._looking)
        return {key: found[key] for key in keys if key in found}

    async def _look_soon(self) -> Mapping[str, Response]:
        await self._sleep(_GATHER_S)
        wanted, self._wanted, self._looking = self._wanted, set(), None
        found = self._neighbours.answers(wanted)
        return {key: answer for key, answer in found.items() if self._counts(answer)}
