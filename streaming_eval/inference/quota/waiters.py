"""Requests of one worker that wait for their permits."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import islice

from streaming_eval.inference.quota.permit_pool import Permit


class Waiter:
    """One request."""

    __slots__ = ("permit", "since", "tokens")

    def __init__(self, tokens: Callable[[], int], since: float) -> None:
        self.tokens, self.since = tokens, since
        self.permit: asyncio.Future[Permit] = asyncio.get_running_loop().create_future()


class Waiters:
    """A line per model; false when nobody waits."""

    def __init__(self) -> None:
        self._lines: dict[str, deque[Waiter]] = {}

    def __bool__(self) -> bool:
        return bool(self._lines)

    def __contains__(self, model: str) -> bool:
        return model in self._lines

    @property
    def models(self) -> set[str]:
        """Those that somebody waits for."""
        return set(self._lines)

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    async def wait(
        self,
        model: str,
        tokens: Callable[[], int],
        since: float,
        abandon: Callable[[Permit], None],
    ) -> Permit:
        """Waits in line. One that is cancelled as its permit comes leaves it to `abandon`."""
        waiter = Waiter(tokens, since)
        self._lines.setdefault(model, deque()).append(waiter)
        try:
            return await waiter.permit
        except asyncio.CancelledError:
            if waiter.permit.cancelled():
                self._remove(model, waiter)
            elif waiter.permit.exception() is None:
                abandon(waiter.permit.result())
            raise

    def tokens(self, model: str, most: int) -> tuple[int, ...]:
        """What the first `most` requests of the model need."""
        return tuple(waiter.tokens() for waiter in islice(self._lines.get(model, ()), most))

    def serve(self, start: Callable[[str, int], Permit | None]) -> None:
        """Gives out what `start(model, tokens)` permits, to the longest waiting first."""
        models = set(self._lines)
        while models:
            model = min(models, key=lambda name: self._lines[name][0].since)
            waiter = self._lines[model][0]
            if not waiter.permit.done():  # cancelled, but not yet told so
                permit = start(model, waiter.tokens())
                if permit is None:
                    models.remove(model)
                    continue
                waiter.permit.set_result(permit)
            self._remove(model, waiter)
            models &= self._lines.keys()

    def fail(self, error: Callable[[], Exception], since: float) -> None:
        """Ends with an error every wait that began at that time or earlier."""
        for model, line in tuple(self._lines.items()):
            for waiter in [waiter for waiter in line if waiter.since <= since]:
                if not waiter.permit.done():
                    waiter.permit.set_exception(error())
                self._remove(model, waiter)

    def _remove(self, model: str, waiter: Waiter) -> None:
        line = self._lines.get(model, deque())
        with suppress(ValueError):  # it was found cancelled before it knew
            line.remove(waiter)
        if not line:
            self._lines.pop(model, None)
