"""A batch is repeated until everything in it is paid for; what it has paid for is never lost."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from streaming_eval.inference.spending.books import BatchSpending, Spending
from streaming_eval.inference.spending.budget import AtCap, Budget
from streaming_eval.inference.spending.ledger import Paid

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Attempt(Generic[T]):
    """One pass over a batch.

    Attributes:
        result: whatever it came to.
        paid: its answers, committed already: the next attempt finds them in the cache.
        short: budgets for want of which calls were not made; empty after a whole pass.
        held: what its tasks held back at their end for calls that are still under way.
    """

    result: T
    paid: Sequence[Paid]
    short: Collection[Budget]
    held: Mapping[Budget, int]


@dataclass(frozen=True, slots=True)
class Afforded(Generic[T]):
    """A batch that lacks no paid call.

    Attributes:
        results: of every attempt, in order; only the last is whole.
        rate: probability with which its samples were asked about.
    """

    results: tuple[T, ...]
    rate: float


def afforded(
    attempt: Callable[[BatchSpending], Attempt[T]],
    spending: Spending,
    rate: float,
    *,
    now_ms: Callable[[], int],
    wait_until: Callable[[int], None],
) -> Afforded[T]:
    """Attempts a batch until no call in it is refused.

    `stop`: as long as attempts make calls they follow each other, since a task that has used up its
    share gets a new one of what the others have left; then the batch waits for the budgets to be
    full again. It waits as offsets: its records stay in the topic, in their order, so that no
    sample comes late or is lost, and a restart begins the batch anew.

    `sample`: a batch whose money runs out half-way is asked about at rate 0, which makes no
    call. Which of its samples were answered depends on their order, not on chance, so their scores
    would be no sample of it.

    Args:
        attempt: evaluates the batch and commits its answers.
        spending: the books.
        rate: of this batch, decided before its first attempt.
        now_ms: wall clock, epoch milliseconds.
        wait_until: returns at that time; may raise to give the batch up.
    """
    results: list[T] = []
    while True:
        tried = attempt(spending.plan(now_ms(), rate))
        results.append(tried.result)
        spending.record(tried.paid, tried.held, now_ms())
        if not tried.short:
            return Afforded(tuple(results), rate)
        if spending.at_cap is AtCap.SAMPLE:
            rate = 0.0
        elif not tried.paid:
            wait_until(spending.turns_ms(tried.short, now_ms()))
            spending.record((), {}, now_ms())  # what was under way has ended long ago
