"""A model that takes several inputs, and a wait that ends when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from streaming_eval.errors import PermanentError
from streaming_eval.inference.calls.coalesce import with_coalescing
from streaming_eval.inference.calls.joint_response import JointResponse
from streaming_eval.inference.complete import Complete, failed
from streaming_eval.records import Request, Response, Usage
from tests.inference.requests import request


class Embedder:
    """Answers each input with itself in capitals; refuses any request that holds a bad one."""

    def __init__(self, bad: Sequence[str] = (), reason: str = "http_400") -> None:
        self._bad, self._reason = bad, reason
        self.asked: list[list[str]] = []
        self.release = asyncio.Event()
        self.release.set()
        self.cancelled = 0

    async def __call__(self, request: Request) -> Response:
        inputs = [message.content for message in request.messages]
        self.asked.append(inputs)
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if set(inputs) & set(self._bad):
            return failed(PermanentError(self._reason, "one of them"), attempts=1)
        parts = tuple(Response(text.upper()) for text in inputs)
        tokens = Usage(sum(map(len, inputs)), None)
        if len(inputs) == 1:
            return replace(parts[0], usage=tokens, attempts=1, latency_ms=5.0, created_ms=9)
        return JointResponse(
            "", usage=tokens, attempts=1, latency_ms=5.0, created_ms=9, parts=parts
        )


class Patience:
    """A sleep that ends when the test says so."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.sleeping = 0

    async def sleep(self, _: float) -> None:
        self.sleeping += 1
        try:
            await self.over.wait()
        finally:
            self.sleeping -= 1


def coalescing(
    complete: Complete, patience: Patience, *, max_inputs: int = 100, max_chars: int = 1_000
) -> Complete:
    return with_coalescing(
        complete,
        max_inputs=max_inputs,
        max_chars=max_chars,
        max_wait_s=0.01,
        sleep=patience.sleep,
    )


def asking(complete: Complete, *inputs: str) -> list[asyncio.Future[Response]]:
    return [asyncio.ensure_future(complete(request(text))) for text in inputs]
