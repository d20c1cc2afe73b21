"""One task's share of the budgets, from which every call that is made must be paid.

Shares are cut by the driver before a batch, so workers need nobody to ask. A call takes what it may
cost at most and gives back what it did not; so a share is passed only by answers that cost more
than was held back for them, and by no more than `at_once` of those.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from streaming_eval.errors import InferenceError, PermanentError
from streaming_eval.inference.complete import Complete, failed
from streaming_eval.inference.spending.budget import Amount, Budget
from streaming_eval.records import Request, Response

REFUSED = "budget"
"""Reason of a call that was not made for want of money: to be made later."""
TOO_LARGE = "exceeds_budget"
"""Reason of a call that no share could ever pay: not to be made at all."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one task may spend of a budget in one batch.

    Attributes:
        amount: now, in the budget's unit.
        largest: of a span in which nothing is spent yet; what takes more can never be paid.
    """

    budget: Budget
    amount: int
    largest: int


class Purse:
    """The shares of one task, while it lasts; for one event loop.

    Args:
        shares: one per budget.
        at_once: calls that may be paid for and not answered yet; further ones wait.
    """

    def __init__(self, shares: Iterable[Share], at_once: int) -> None:
        self._shares = tuple(shares)
        self._left = [share.amount for share in self._shares]
        self._held = [0] * len(self._left)
        self._at_once, self._open = at_once, 0
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._settled = asyncio.Event()
        self.refused: Counter[Budget] = Counter()

    @property
    def left(self) -> dict[Budget, int]:
        """What is in it; below 0 after an answer that cost more than was held back for it."""
        return {share.budget: n for share, n in zip(self._shares, self._left, strict=True)}

    @property
    def held(self) -> dict[Budget, int]:
        """What is held back for calls that are still under way, as some are when a batch ends."""
        return {share.budget: n for share, n in zip(self._shares, self._held, strict=True) if n}

    async def take(self, model: str, most: Amount) -> None:
        """Hold back what a call may cost, in the order of asking within one model.

        A call that finds too little waits while others are open, for what they may give back.

        Raises:
            PermanentError: `budget`, too little is left; `exceeds_budget`, it always would be.
        """
        mine = [n for n, share in enumerate(self._shares) if share.budget.covers(model)]
        self._check_size(mine, most)
        async with self._turns[model]:
            while not self._payable(mine, most):
                if not self._open:
                    raise self._refusal(self._short(mine, most))
                await self._settled.wait()
            _add(self._left, self._amounts(mine, most), -1)
            _add(self._held, self._amounts(mine, most), +1)
            self._open += 1

    def settle(self, model: str, most: Amount, charged: Amount) -> None:
        """Give back what was held back for a call, less what it was charged."""
        mine = [n for n, share in enumerate(self._shares) if share.budget.covers(model)]
        _add(self._left, self._amounts(mine, most), +1)
        _add(self._held, self._amounts(mine, most), -1)
        _add(self._left, self._amounts(mine, charged), -1)
        self._open -= 1
        self._settled.set()
        self._settled = asyncio.Event()

    def _payable(self, mine: list[int], most: Amount) -> bool:
        return self._open < self._at_once and not self._short(mine, most)

    def _short(self, mine: list[int], most: Amount) -> list[int]:
        """The shares that cannot pay so much; each can pay nothing at all."""
        wanted = self._amounts(mine, most)
        return [n for n, amount in wanted.items() if amount > max(0, self._left[n])]

    def _amounts(self, mine: list[int], amount: Amount) -> dict[int, int]:
        return {n: amount.of(self._shares[n].budget.unit) for n in mine}

    def _check_size(self, mine: list[int], most: Amount) -> None:
        for share in (self._shares[n] for n in mine):
            if most.of(share.budget.unit) > share.largest:
                raise PermanentError(
                    TOO_LARGE,
                    f"the call may take more than a task's whole share of {share.budget}; limit "
                    "its answer (max_tokens), raise the cap or use fewer spark.partitions",
                )

    def _refusal(self, short: list[int]) -> PermanentError:
        budgets = [self._shares[n].budget for n in short]
        self.refused.update(budgets)
        return PermanentError(REFUSED, f"too little is left of {', '.join(map(str, budgets))}")


def _add(sums: list[int], amounts: dict[int, int], sign: int) -> None:
    for n, amount in amounts.items():
        sums[n] += sign * amount


def with_budget(
    complete: Complete,
    purse: Purse,
    *,
    at_most: Callable[[Request], Amount],
    charged: Callable[[Request, Response], Amount],
) -> Complete:
    """Make only calls that the purse can pay; it belongs inside the cache, whose hits are free.

    Args:
        complete: makes the call.
        purse: one for all endpoints of a task.
        at_most: what a call may cost; may raise `PermanentError`.
        charged: what it did cost.
    """

    async def paid(request: Request) -> Response:
        try:
            most = at_most(request)
            await purse.take(request.model, most)
        except InferenceError as error:
            return failed(error)
        charge = Amount()  # of a call that fails or is cancelled
        try:
            response = await complete(request)
            charge = charged(request, response)
            return response
        finally:
            purse.settle(request.model, most, charge)

    return paid
