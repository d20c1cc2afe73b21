"""An event loop on which nobody waits: when all tasks sleep, the clock jumps to the first timer."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
STARTED_AT = 1_000.0
_LONGEST_S = 1e6


class _Jumping(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now_s = STARTED_AT

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now_s += max(0.0, timeout or 0.0)
        return super().select(0)


class FakeLoop(asyncio.SelectorEventLoop):
    """Its `time` is both the loop's own and the tests' clock."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)
        self._clock_resolution = 1e-6  # coarser than a double is at the end of `_LONGEST_S`

    def time(self) -> float:
        return self._jumping.now_s


def on_fake_time(work: Coroutine[Any, Any, T]) -> T:
    """Runs `work` in no time; fails if it hangs or leaves a task behind."""
    loop = FakeLoop()
    try:
        result = loop.run_until_complete(asyncio.wait_for(work, _LONGEST_S))
        left = asyncio.all_tasks(loop)
        loop.run_until_complete(_end(left))
        assert not left, f"left behind: {left}"
        return result
    finally:
        loop.close()


async def _end(tasks: set[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def now_s() -> float:
    """The running loop's clock, which every policy under test is given."""
    return asyncio.get_running_loop().time()
