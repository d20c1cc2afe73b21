"""A model endpoint in memory: every reply is scripted, everything asked is written down."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from streaming_eval.errors import InferenceError, RetryableError
from streaming_eval.records import Request, Response
from tests.inference.fake_loop import now_s

STUCK_S = 1e5
DOWN = RetryableError("connection", "refused")


@dataclass(frozen=True, slots=True)
class Reply:
    """What one HTTP request comes to, and when."""

    takes_s: float
    error: InferenceError | None = None


Script = Callable[[int, Request], Reply]
"""The number of the HTTP request, from 0, and what it asks."""


class FakeEndpoint:
    """One scripted endpoint.

    Attributes:
        began_at: of each HTTP request.
        asked, answered: HTTP requests, and answers given, by question.
        under_way, most_under_way: HTTP requests.
        cut_off: requests whose client hung up.
        in_vain: requests for what had been answered before.
    """

    def __init__(self, script: Script) -> None:
        self._script = script
        self.began_at: list[float] = []
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.under_way = self.most_under_way = self.cut_off = self.in_vain = 0

    async def send(self, request: Request) -> Response:
        """One HTTP request."""
        reply = self._script(len(self.began_at), request)
        question = request.messages[0].content
        self.began_at.append(now_s())
        self.in_vain += self.answered[question] > 0
        self.asked[question] += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await asyncio.sleep(reply.takes_s)
        except asyncio.CancelledError:
            self.cut_off += 1
            raise
        finally:
            self.under_way -= 1
        if reply.error is not None:
            raise _anew(reply.error)
        self.answered[question] += 1
        return Response(f"to {question}", latency_ms=reply.takes_s * 1_000, attempts=1)


def _anew(error: InferenceError) -> InferenceError:
    """One instance raised again and again would gather tracebacks."""
    if isinstance(error, RetryableError):
        return RetryableError(error.reason, error.message, error.retry_after_s)
    return type(error)(error.reason, error.message)


def steady(takes_s: float) -> Script:
    """Every answer takes so long."""
    return lambda number, request: Reply(takes_s)
