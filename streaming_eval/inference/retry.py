"""Ask again where that can help, never sooner than the server wishes, never beyond the deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from streaming_eval.errors import InferenceError, PermanentError, RetryableError
from streaming_eval.inference.complete import Complete, Send, failed
from streaming_eval.records import Request, Response

FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 30.0


def with_retry(
    send: Send,
    *,
    max_attempts: int,
    deadline_s: float,
    sleep: Callable[[float], Awaitable[object]],
    random: Callable[[], float],
    clock: Callable[[], float],
) -> Complete:
    """Repeat calls that fail with `RetryableError`.

    Args:
        send: one attempt.
        max_attempts: HTTP requests at most, at least 1.
        deadline_s: from the first attempt's start to the end of everything; a call that reaches it,
            or whose next attempt could only begin after it, ends with error `deadline`.
        sleep: waits that many seconds.
        random: uniform in [0, 1), for jitter.
        clock: monotonic seconds.
    """

    async def complete(request: Request) -> Response:
        ends_at = clock() + deadline_s
        attempts, error = 0, _NOTHING_TRIED
        try:
            async with asyncio.timeout(deadline_s):
                while attempts < max_attempts:
                    attempts += 1
                    try:
                        return _counted(await send(request), attempts)
                    except RetryableError as retryable:
                        error = retryable
                    except PermanentError as permanent:
                        return failed(permanent, attempts)
                    pause_s = _pause_s(error, attempts, random())
                    if attempts < max_attempts:
                        await _sleep_before(ends_at - clock(), pause_s, sleep)
        except TimeoutError:
            return failed(_deadline(deadline_s, error), attempts)
        return failed(error, attempts)

    return complete


_NOTHING_TRIED = RetryableError("no_reply", "the first attempt had not ended")


def _counted(response: Response, attempts: int) -> Response:
    return response if response.attempts == attempts else replace(response, attempts=attempts)


def _pause_s(error: RetryableError, attempts: int, random: float) -> float:
    """Exponential, half of it jitter (Brooker 2015, "Exponential Backoff and Jitter").

    It comes on top of what the server wished for, or all workers would return in that one moment.
    """
    backoff_s = min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** (attempts - 1))
    return (error.retry_after_s or 0.0) + backoff_s * (0.5 + 0.5 * random)


async def _sleep_before(
    left_s: float, pause_s: float, sleep: Callable[[float], Awaitable[object]]
) -> None:
    if pause_s >= left_s:  # the slot is worth more than a wait that ends in failure
        raise TimeoutError
    await sleep(pause_s)


def _deadline(deadline_s: float, last: InferenceError) -> InferenceError:
    return InferenceError(
        "deadline", f"not answered within {deadline_s:g} s; last: {last.reason}: {last.message}"
    )
