"""A batch ends when its time is up or only stragglers are left; what they bring is kept.

Calls that have sent nothing are cancelled and end as `not_begun`; those that wait between two
attempts, as `batch_deadline`. Calls with an HTTP request under way end so for the batch, but go on:
their answers will have to be paid for, so they are stored as they arrive, and a later batch that
asks the same finds them, or joins them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from streaming_eval.errors import PermanentError
from streaming_eval.inference.calls.single_flight import SingleFlight

BATCH_DEADLINE = "batch_deadline"
"""Reason of a call that had sent something when its batch ended."""
NOT_BEGUN = "not_begun"
"""Reason of a call that had sent nothing by then, and so took nothing from anybody."""


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """When a batch ends at the latest.

    Attributes:
        longest_s: from its start.
        straggler_after_s: a call whose first HTTP request was sent so long ago is a straggler.
        straggler_share: calls that may be left behind as stragglers, as a share of those begun, in
            [0, 1]; the batch ends once no others are left. 0 waits for all.
        check_s: how often that is looked at.
        grace_s: how long calls under way may still take at the end, before they are cut off; None
            lets them linger into later batches, on an event loop that goes on between batches.
    """

    longest_s: float
    straggler_after_s: float
    straggler_share: float
    check_s: float
    grace_s: float | None


@asynccontextmanager
async def batch_deadline(
    flights: SingleFlight, limits: BatchLimits, sleep: Callable[[float], Awaitable[object]]
) -> AsyncIterator[None]:
    """Surrounds the work of one batch, all of whose calls go through `flights`.

    A batch that ends by an exception gives up its calls as well, as `batch_failed`.

    Args:
        flights: of this process.
        limits: see `BatchLimits`.
        sleep: waits that many seconds.
    """
    flights.resume()
    watch = asyncio.create_task(_watch(flights, limits, sleep))
    try:
        yield
    except BaseException:
        await flights.give_up(PermanentError("batch_failed", "the batch ended by an error"))
        raise
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        if limits.grace_s is not None:
            await flights.drain(limits.grace_s)


async def _watch(
    flights: SingleFlight, limits: BatchLimits, sleep: Callable[[float], Awaitable[object]]
) -> None:
    now = asyncio.get_running_loop().time
    ends_at = now() + limits.longest_s
    while (left_s := ends_at - now()) > 0:
        await sleep(min(limits.check_s, left_s))
        if _only_stragglers(flights, limits, now()):
            why = f"not answered within {limits.straggler_after_s:g} s, as nearly all others were"
            break
    else:
        why = f"not answered when the batch had taken {limits.longest_s:g} s"
    await flights.give_up(PermanentError(BATCH_DEADLINE, why), PermanentError(NOT_BEGUN, why))


def _only_stragglers(flights: SingleFlight, limits: BatchLimits, now_s: float) -> bool:
    """Whether all calls still waited for are late, and few enough to be left behind."""
    left = [sent.first_at for sent in flights.awaited()]
    if not 0 < len(left) <= limits.straggler_share * flights.begun:
        return False
    return all(at is not None and now_s - at >= limits.straggler_after_s for at in left)
