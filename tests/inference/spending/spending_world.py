"""Batches, tasks, a cache and a clock in memory: everything around the budgets but Spark."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from streaming_eval.inference.spending.affordable import Afforded, Attempt, afforded
from streaming_eval.inference.spending.books import BatchSpending, Spending, Treasury
from streaming_eval.inference.spending.budget import Amount, AtCap, Budget, Unit
from streaming_eval.inference.spending.ledger import Ledger, Paid, began_ms
from streaming_eval.inference.spending.price import Price, Prices
from streaming_eval.inference.spending.purse import Purse, with_budget
from streaming_eval.inference.spending.sampling import unit
from streaming_eval.records import Request, Response
from tests.inference.requests import request

PRICES = Prices("USD", {"a": Price(1, 1), "b": Price(3, 3)})
SECOND_MS = 1_000


class Killed(Exception):  # noqa: N818 - not an error of the code under test
    """The driver died; what was committed remains."""


@dataclass(frozen=True, slots=True)
class Call:
    """One sample's one question: to which model, and how much more or less than held back."""

    sample: str
    model: str
    most: int
    tokens: int
    fails: bool = False


@dataclass
class World:
    """A job with so many tasks; time passes only as attempts and waiting take it.

    Attributes:
        kill_after: attempts after which the driver dies once, before it has entered them.
    """

    budgets: tuple[Budget, ...]
    at_cap: AtCap = AtCap.STOP
    tasks: int = 2
    at_once: int = 4
    now_ms: int = 1_741_500_000_000
    attempt_ms: int = 40 * SECOND_MS
    kill_after: frozenset[int] = frozenset()
    table: list[Paid] = field(default_factory=list)
    cache: set[Call] = field(default_factory=set)
    waited_ms: list[int] = field(default_factory=list)
    rates: dict[int, float] = field(default_factory=dict)
    attempts: int = 0

    def __post_init__(self) -> None:
        self.spending = self.restarted()

    def restarted(self) -> Spending:
        """The books as a new process makes them from the table."""
        treasury = Treasury(self.budgets, PRICES, self.at_cap, self.tasks, {"a": 1, "b": 1})
        since = began_ms(self.now_ms)
        answers = [paid for paid in self.table if paid.at_ms >= since]
        return Spending(treasury, Ledger().record(answers, self.now_ms))

    def run(self, batches: Sequence[Sequence[Call]]) -> Iterator[Afforded[list[str | None]]]:
        """Every batch, begun anew after each kill."""
        for batch_id, batch in enumerate(batches):
            while True:
                try:
                    yield self._batch(batch_id, batch)
                    break
                except Killed:
                    self.spending = self.restarted()

    def spent(self, budget: Budget) -> dict[int, int]:
        """What the table says was spent, by the beginning of each span."""
        sums: dict[int, int] = {}
        for paid in self.table:
            began = budget.per.began_ms(paid.at_ms)
            if budget.covers(paid.model):
                sums[began] = sums.get(began, 0) + paid.amount.of(budget.unit)
        return sums

    def _batch(self, batch_id: int, batch: Sequence[Call]) -> Afforded[list[str | None]]:
        if batch_id not in self.rates:
            self.rates[batch_id] = self.spending.rate(self.now_ms, len(batch))
        done = afforded(
            lambda plan: self._attempt(plan, batch),
            self.spending,
            self.rates[batch_id],
            now_ms=lambda: self.now_ms,
            wait_until=self._wait,
        )
        self.spending.close(done.rate, len(batch), self.now_ms)
        return done

    def _wait(self, until_ms: int) -> None:
        assert until_ms > self.now_ms
        self.waited_ms.append(until_ms - self.now_ms)
        self.now_ms = until_ms

    def _attempt(self, plan: BatchSpending, batch: Sequence[Call]) -> Attempt[list[str | None]]:
        self.attempts += 1
        asked = [c for c in batch if unit(c.sample) < plan.rate or c.model not in plan.limited]
        paid: list[Paid] = []
        short: set[Budget] = set()
        errors: list[str | None] = []
        for task in range(self.tasks):
            mine = [c for n, c in enumerate(asked) if n % self.tasks == task]
            purse = Purse(plan.shares, self.at_once)
            errors += asyncio.run(self._task(mine, purse, paid))
            short |= purse.refused.keys()
        self.now_ms += self.attempt_ms
        self.table += paid
        if self.attempts in self.kill_after:
            raise Killed
        return Attempt(errors, paid, short, {})

    async def _task(
        self, calls: Sequence[Call], purse: Purse, paid: list[Paid]
    ) -> list[str | None]:
        async def one(call: Call) -> str | None:
            if call in self.cache:
                return None
            complete = with_budget(
                self._model(call),
                purse,
                at_most=lambda _: _amount(call.model, call.most),
                charged=lambda _, response: _charged(call, response),
            )
            response = await complete(request(model=call.model))
            if response.error is None:
                self.cache.add(call)
                paid.append(Paid(self.now_ms, call.model, _amount(call.model, call.tokens)))
            return response.error

        return list(await asyncio.gather(*(one(call) for call in calls)))

    def _model(self, call: Call) -> Callable[[Request], asyncio.Future[Response]]:
        async def answered(_: Request) -> Response:
            await asyncio.sleep(0)
            return Response(None, error="http_500") if call.fails else Response("Because.")

        return lambda asked: asyncio.ensure_future(answered(asked))


def _amount(model: str, tokens: int) -> Amount:
    return Amount(tokens, PRICES.models[model].cost(tokens, 0))


def _charged(call: Call, response: Response) -> Amount:
    return _amount(call.model, call.tokens) if response.error is None else Amount()


def excess(budget: Budget, calls: Sequence[Call]) -> int:
    """By how much the answer of one call passes what was held back for it, at worst."""
    covered = [call for call in calls if budget.covers(call.model)]
    price = {"a": 1, "b": 3} if budget.unit is Unit.MONEY else {"a": 1, "b": 1}
    return max((price[c.model] * max(0, c.tokens - c.most) for c in covered), default=0)
