"""Ask again where that can help, never sooner than the server wishes, never beyond the deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from streaming_eval.errors import InferenceError, PermanentError, RetryableError
from streaming_eval.inference.calls.sent import Sent, noted, noting, so_far
from streaming_eval.inference.complete import Complete, Send, failed
from streaming_eval.records import Request, Response

FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 30.0


def straight(send: Send) -> Send:
    """`send` as it is."""
    return send


def with_retry(
    send: Send,
    *,
    max_attempts: int,
    deadline_s: float,
    sleep: Callable[[float], Awaitable[object]],
    random: Callable[[], float],
    clock: Callable[[], float],
    around: Callable[[Send], Send] = straight,
) -> Complete:
    """Repeat calls that fail with `RetryableError`.

    A response's `attempts` are the HTTP requests really made for it: none for an attempt that was
    held back by the breaker or the quota, two for one that was hedged.

    Args:
        send: one HTTP request.
        max_attempts: how often it is tried at most, at least 1.
        deadline_s: from the first HTTP request to the end of everything, without the time that the
            call is held back `in_line` at a breaker or a quota: those say for how long; less what
            it has waited for another process before. A call that reaches it, or whose next attempt
            could only begin after it, ends with error `deadline`.
        sleep: waits that many seconds.
        random: uniform in [0, 1), for jitter.
        clock: monotonic seconds.
        around: what each attempt passes on its way to `send`: breaker, quota, hedge. It is called
            once.
    """
    plan = _Plan(around(noted(send)), max_attempts, deadline_s, sleep, random, clock)

    async def complete(request: Request) -> Response:
        return await _Call(plan).run(request)

    return complete


@dataclass(frozen=True, slots=True)
class _Plan:
    attempt: Send
    max_attempts: int
    deadline_s: float
    sleep: Callable[[float], Awaitable[object]]
    random: Callable[[], float]
    clock: Callable[[], float]


class _Call:
    """One call with all its attempts."""

    __slots__ = ("_before", "_plan", "_sent", "_timer")

    def __init__(self, plan: _Plan) -> None:
        self._before, waited_s = so_far()
        self._plan, self._timer = plan, _Deadline(plan.deadline_s - waited_s, plan.clock)
        self._sent = Sent(self._timer)

    async def run(self, request: Request) -> Response:
        error: InferenceError = _NOTHING_TRIED
        try:
            async with self._timer.limit:
                with noting(self._sent):
                    for tried in self._attempts():
                        try:
                            return self._counted(await self._plan.attempt(request))
                        except RetryableError as retryable:
                            error = retryable
                        await self._pause(error, tried)
        except PermanentError as permanent:
            error = permanent
        except TimeoutError:
            error = _deadline(self._plan.deadline_s, error)
        return failed(error, self._total)

    def _attempts(self) -> range:
        """Those that are left, one at least, where the call has been interrupted and goes on."""
        most = self._plan.max_attempts
        return range(min(1 + self._before, most), most + 1)

    @property
    def _total(self) -> int:
        return self._before + self._sent.total

    def _counted(self, response: Response) -> Response:
        total = self._total
        return response if response.attempts == total else replace(response, attempts=total)

    async def _pause(self, error: RetryableError, tried: int) -> None:
        pause_s = _pause_s(error, tried, self._plan.random())
        if tried == self._plan.max_attempts:
            return
        if pause_s >= self._timer.left_s():
            raise TimeoutError  # the place is worth more than a wait that ends in failure
        await self._plan.sleep(pause_s)


class _Deadline:
    """The time that a call has left; it goes on from the first request, and stops in line."""

    __slots__ = ("_clock", "_ends_at", "_left_s", "limit")

    def __init__(self, deadline_s: float, clock: Callable[[], float]) -> None:
        self._left_s, self._clock = deadline_s, clock
        self._ends_at: float | None = None
        self.limit = asyncio.timeout(None)

    def left_s(self) -> float:
        return self._left_s if self._ends_at is None else self._ends_at - self._clock()

    def start(self) -> None:
        if self._ends_at is None:
            self._ends_at = self._clock() + self._left_s
            self.limit.reschedule(asyncio.get_running_loop().time() + self._left_s)

    def stop(self) -> None:
        if not self.limit.expired():
            self._left_s, self._ends_at = self.left_s(), None
            self.limit.reschedule(None)


_NOTHING_TRIED = RetryableError("no_reply", "the first attempt had not ended")


def _pause_s(error: RetryableError, tried: int, random: float) -> float:
    """Exponential, half of it jitter (Brooker 2015, "Exponential Backoff and Jitter").

    It comes on top of what the server wished for, or all workers would return in that one moment.
    """
    backoff_s = min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** (tried - 1))
    return (error.retry_after_s or 0.0) + backoff_s * (0.5 + 0.5 * random)


def _deadline(deadline_s: float, last: InferenceError) -> InferenceError:
    return InferenceError(
        "deadline", f"not answered within {deadline_s:g} s; last: {last.reason}: {last.message}"
    )
