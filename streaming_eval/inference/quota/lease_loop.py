"""When a worker asks the driver: while there is need, at once when it is urgent, with patience."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from streaming_eval.errors import RetryableError

_SHORTEST_REST_S = 0.005
_FIRST_BACKOFF_S, _LONGEST_BACKOFF_S = 0.1, 2.0


class LeaseLoop:
    """Repeats `ask` in a task of its own, which lives only while there is something to ask for.

    Args:
        ask: one exchange; says in how many seconds to ask again, or None when nothing is left to
            say. Raises RetryableError where the driver cannot be reached.
        unreachable: told of each failure; says whether to try again.
        broken: told of an error that nobody foresaw; the loop has then ended.
        random: uniform in [0, 1), for jitter.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[float | None]],
        unreachable: Callable[[RetryableError], bool],
        broken: Callable[[Exception], None],
        random: Callable[[], float],
    ) -> None:
        self._ask, self._unreachable, self._broken = ask, unreachable, broken
        self._random = random
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins, unless it is under way."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def wake(self) -> None:
        """Do not wait for the next turn."""
        self._woken.set()

    async def ended(self) -> None:
        """Waits for the loop's end."""
        if self._task is not None:
            await asyncio.wait((self._task,))

    async def _run(self) -> None:
        failures = 0
        try:
            while True:
                self._woken.clear()
                try:
                    rest_s = await self._ask()
                    failures = 0
                except RetryableError as error:
                    if not self._unreachable(error):
                        return
                    failures += 1
                    await asyncio.sleep(self._backoff_s(failures))
                    continue
                if rest_s is None:
                    return
                await self._rest(rest_s)
        except Exception as error:
            self._broken(error)

    async def _rest(self, seconds: float) -> None:
        await asyncio.sleep(_SHORTEST_REST_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds - _SHORTEST_REST_S):
                await self._woken.wait()

    def _backoff_s(self, failures: int) -> float:
        backoff_s = min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2.0 ** min(failures - 1, 16))
        return backoff_s * (0.5 + 0.5 * self._random())
