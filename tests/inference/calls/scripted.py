"""Stand-ins for what policies are given: a scripted send, and time that passes only when asked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from streaming_eval.errors import InferenceError
from streaming_eval.records import Request, Response


def answer(text: str = "Because.") -> Response:
    return Response(
        text, finish_reason="stop", latency_ms=5.0, created_ms=1_700_000_000_000, attempts=1
    )


class ManualTime:
    """A clock that moves only by sleeping on it."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.slept_s: list[float] = []

    def clock(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds
        await asyncio.sleep(0)


class ScriptedSend:
    """Plays the outcomes in order, the last one again and again; each attempt takes `takes_s`."""

    def __init__(
        self,
        *outcomes: Response | InferenceError,
        time: ManualTime | None = None,
        takes_s: float = 0,
    ) -> None:
        self._outcomes: Sequence[Response | InferenceError] = outcomes
        self._time, self._takes_s = time, takes_s
        self.asked: list[Request] = []
        self.at_s: list[float] = []

    async def __call__(self, request: Request) -> Response:
        self.asked.append(request)
        if self._time is not None:
            self.at_s.append(self._time.now_s)
            self._time.now_s += self._takes_s
        await asyncio.sleep(0)
        outcome = self._outcomes[min(len(self.asked), len(self._outcomes)) - 1]
        if isinstance(outcome, InferenceError):
            raise outcome
        return outcome


class HeldSend:
    """Answers nobody until `release` is set; counts calls begun, under way at once, and ended."""

    def __init__(self, outcome: Response | Exception | None = None) -> None:
        self._outcome = outcome if outcome is not None else answer()
        self.release = asyncio.Event()
        self.begun = self.under_way = self.most_under_way = self.cancelled = 0

    async def __call__(self, request: Request) -> Response:
        self.begun += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.under_way -= 1
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


async def settle() -> None:
    """Let every task that can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)
