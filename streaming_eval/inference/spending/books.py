"""The driver's side of the budgets: before a batch its plan, after it the books."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from streaming_eval.inference.spending.budget import AtCap, Budget, Unit
from streaming_eval.inference.spending.charge import amount
from streaming_eval.inference.spending.ledger import Ledger, Paid
from streaming_eval.inference.spending.pace import Pace, rate
from streaming_eval.inference.spending.price import Prices
from streaming_eval.inference.spending.purse import Share

_GUESSED_TOKENS = (1_000, 1_000)  # in and out, of a call whose like has not been seen


@dataclass(frozen=True, slots=True)
class Treasury:
    """What an operator allows to be spent; plain values.

    Attributes:
        tasks: parallel tasks of a batch, each of which gets an equal share.
        calls: model, as its endpoint calls it, to the calls that one sample may need.
    """

    budgets: tuple[Budget, ...]
    prices: Prices
    at_cap: AtCap
    tasks: int
    calls: Mapping[str, int]

    def __post_init__(self) -> None:
        for budget in self.budgets:
            bare = [m for m in self.calls if budget.covers(m) and m not in self.prices.models]
            if budget.unit is Unit.MONEY and bare:
                raise ValueError(f"a budget in money covers {bare[0]!r}, which has no price")

    @property
    def limited(self) -> frozenset[str]:
        """Models whose calls take from a budget; free ones take only from budgets in tokens."""
        return frozenset(
            model
            for model in self.calls
            for budget in self.budgets
            if budget.covers(model) and (budget.unit is Unit.TOKENS or not self._free(model))
        )

    def guess(self, budget: Budget) -> int:
        """What one sample takes of a budget, before any was seen."""
        return sum(
            n * amount(model, *_GUESSED_TOKENS, self.prices).of(budget.unit)
            for model, n in self.calls.items()
            if budget.covers(model)
        )

    def _free(self, model: str) -> bool:
        price = self.prices.models.get(model)
        return price is not None and price.free


@dataclass(frozen=True, slots=True)
class BatchSpending:
    """What a worker is told: whom to ask about, what it may spend, at which prices.

    Attributes:
        rate: probability with which a sample is asked about.
        shares: of one task; every task gets the same.
        limited: models that only drawn samples are put to.
    """

    rate: float
    shares: tuple[Share, ...]
    prices: Prices
    limited: frozenset[str]


class Spending:
    """The ledger and the pace of every budget; for one thread.

    Args:
        treasury: what may be spent.
        ledger: made from every answer since `ledger.began_ms`.
    """

    def __init__(self, treasury: Treasury, ledger: Ledger) -> None:
        self._treasury, self._ledger = treasury, ledger
        self._paces = {b: Pace.guess(treasury.guess(b)) for b in treasury.budgets}
        self._held: Mapping[Budget, int] = {}
        self._batch: dict[Budget, int] = dict.fromkeys(treasury.budgets, 0)
        self._ended_ms: int | None = None

    @property
    def at_cap(self) -> AtCap:
        return self._treasury.at_cap

    def rate(self, now_ms: int, records: int) -> float:
        """The rate of a batch that begins now, 1 unless budgets are met by sampling.

        One for everything that costs: the lowest that any budget asks for. Comparisons need both
        models on the same samples, and a score needs one weight.

        Args:
            now_ms: wall clock, epoch milliseconds.
            records: in the batch.
        """
        if self.at_cap is AtCap.STOP:
            return 1.0
        rates = (
            rate(
                self._unheld(budget, now_ms),
                (budget.per.turns_ms(now_ms) - now_ms) / 1_000,
                pace,
                records,
            )
            for budget, pace in self._paces.items()
        )
        return min(rates, default=1.0)

    def plan(self, now_ms: int, rate: float) -> BatchSpending:
        """What each task of a batch may spend, at a rate that was decided before."""
        tasks = self._treasury.tasks
        shares = tuple(
            Share(budget, self._unheld(budget, now_ms) // tasks, budget.cap // tasks)
            for budget in self._treasury.budgets
        )
        return BatchSpending(rate, shares, self._treasury.prices, self._treasury.limited)

    def record(self, paid: Iterable[Paid], held: Mapping[Budget, int], now_ms: int) -> None:
        """Enters what an attempt at a batch has come to.

        Args:
            paid: its answers, which have just been committed.
            held: what its tasks held back at their end for calls that are still under way.
            now_ms: wall clock, epoch milliseconds.
        """
        self._held = held
        self.enter(paid, now_ms)

    def enter(self, paid: Iterable[Paid], now_ms: int) -> None:
        """Enters answers that have just been committed."""
        entries = tuple(paid)
        self._ledger = self._ledger.record(entries, now_ms)
        for budget in self._batch:
            covered = (e.amount.of(budget.unit) for e in entries if budget.covers(e.model))
            self._batch[budget] += sum(covered)

    def close(self, rate: float, records: int, now_ms: int) -> None:
        """Ends a batch: what was recorded since the last end was spent on it, at that rate."""
        seconds = 0.0 if self._ended_ms is None else max(0, now_ms - self._ended_ms) / 1_000
        for budget, pace in self._paces.items():
            spent = self._batch[budget]
            self._paces[budget] = pace.update(
                spent=spent, rate=rate, records=records, seconds=seconds
            )
        self._batch = dict.fromkeys(self._batch, 0)
        self._ended_ms = now_ms

    def left_ratios(self, now_ms: int) -> dict[Budget, float]:
        """What is left of every budget, as a share of its cap, in [0, 1]."""
        budgets = self._treasury.budgets
        return {budget: self._ledger.left(budget, now_ms) / budget.cap for budget in budgets}

    def _unheld(self, budget: Budget, now_ms: int) -> int:
        return max(0, self._ledger.left(budget, now_ms) - self._held.get(budget, 0))

    @staticmethod
    def turns_ms(short: Collection[Budget], now_ms: int) -> int:
        """When all of these budgets are full again."""
        return max(budget.per.turns_ms(now_ms) for budget in short)
