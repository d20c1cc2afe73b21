"""What has been spent, and so what is left: a fold over the answers that were paid for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from streaming_eval.inference.spending.budget import Amount, Budget, Per

_HOUR_MS = 3_600_000
_KEPT_HOURS = 48


@dataclass(frozen=True, slots=True)
class Paid:
    """One paid answer, or several of one model in one hour as their sum.

    Attributes:
        at_ms: when the answer arrived, epoch milliseconds.
        model: as its endpoint calls it.
    """

    at_ms: int
    model: str
    amount: Amount


@dataclass(frozen=True, slots=True)
class Ledger:
    """Sums by UTC hour and model.

    They depend neither on the order of the answers nor on where batches are cut: a ledger made
    from the `responses` table is the one that was kept up batch by batch.

    >>> from streaming_eval.inference.spending.budget import Unit
    >>> ledger = Ledger().record([Paid(0, "m", Amount(tokens=700))], now_ms=0)
    >>> budget = Budget(Unit.TOKENS, 1_000, Per.HOUR)
    >>> ledger.left(budget, now_ms=0), ledger.left(budget, now_ms=3_600_000)
    (300, 1000)
    """

    hours: Mapping[tuple[int, str], Amount] = field(default_factory=dict)

    def record(self, paid: Iterable[Paid], now_ms: int) -> Ledger:
        """The ledger with these answers, without hours that no budget looks at any more.

        Two days are kept, so that a clock that is set back finds what it had spent.
        """
        oldest = now_ms // _HOUR_MS - _KEPT_HOURS
        hours = {key: amount for key, amount in self.hours.items() if key[0] >= oldest}
        for answer in paid:
            key = (answer.at_ms // _HOUR_MS, answer.model)
            before, new = hours.get(key, Amount()), answer.amount
            hours[key] = Amount(before.tokens + new.tokens, (before.money or 0) + (new.money or 0))
        return Ledger(hours)

    def spent(self, budget: Budget, now_ms: int) -> int:
        """What counts against a budget since its span began, in its unit."""
        began = budget.per.began_ms(now_ms) // _HOUR_MS
        ends = budget.per.turns_ms(now_ms) // _HOUR_MS
        return sum(
            amount.of(budget.unit)
            for (hour, model), amount in self.hours.items()
            if began <= hour < ends and budget.covers(model)
        )

    def left(self, budget: Budget, now_ms: int) -> int:
        """What may still be spent until the span ends, in the budget's unit, at least 0."""
        return max(0, budget.cap - self.spent(budget, now_ms))


def began_ms(now_ms: int) -> int:
    """Since when answers are needed for a ledger that is exact at `now_ms`."""
    return Per.DAY.began_ms(now_ms)
