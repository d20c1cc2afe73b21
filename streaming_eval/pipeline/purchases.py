"""Batches are paid from the budgets: attempted until no call in them is lacking."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from streaming_eval.adapters.batch_rate import BatchRate
from streaming_eval.adapters.call_tally import HELD, REFUSED, SAVED_OF_MODEL
from streaming_eval.adapters.paid_answers import paid
from streaming_eval.adapters.spending_metrics import SpendingMetrics
from streaming_eval.inference.spending.affordable import Afforded, Attempt, afforded
from streaming_eval.inference.spending.books import BatchSpending, Spending, Treasury
from streaming_eval.inference.spending.budget import AtCap, Budget
from streaming_eval.inference.spending.ledger import Ledger, Paid
from streaming_eval.pipeline.gate import Gate

_OF_EVERY_ATTEMPT = pa.array(("requests", "retries", "tokens"))
_LONGEST_PAUSE_S = 60.0


@dataclass(frozen=True, slots=True)
class Worked:
    """One pass of the workers over a batch.

    Attributes:
        tables: what they returned, by kind.
        answers: rows of `responses` that they paid for, committed by now.
    """

    tables: Mapping[str, pa.Table]
    answers: pa.Table


class Purchases:
    """The driver's purse: cuts the shares, keeps the books, and waits where it must.

    Args:
        treasury: what may be spent; without budgets everything is paid at once.
        ledger: made from the answers that earlier runs have paid for.
        rates: where the sampling rate of a batch is written down.
        gate: whose shutting ends a wait for money.
        metrics: told of costs, waits and what is left.
    """

    def __init__(
        self,
        treasury: Treasury,
        ledger: Ledger,
        *,
        rates: BatchRate,
        gate: Gate,
        metrics: SpendingMetrics,
    ) -> None:
        self._treasury, self._spending = treasury, Spending(treasury, ledger)
        self._rates, self._gate, self._metrics = rates, gate, metrics
        self._budgets = {str(budget): budget for budget in treasury.budgets}
        self._metrics.observe_budgets(self._spending.left_ratios(_now_ms()))

    def batch(
        self, number: int, records: int, attempt: Callable[[BatchSpending], Worked]
    ) -> tuple[Mapping[str, pa.Table], float]:
        """Has a batch of the topic worked at until it is whole.

        Args:
            number: of the batch, whose rate is the same in every run.
            records: in the batch.
            attempt: one pass over it.

        Returns:
            What the workers returned, and the probability with which samples were asked about.

        Raises:
            Draining: the job ends while the batch waits for money.
        """
        rate = self._rate(number, records)
        self._metrics.observe_sampling(rate)
        done = self._afforded(attempt, rate)
        self._spending.close(done.rate, records, _now_ms())
        self._metrics.observe_sampling(done.rate)
        return _combined(done), done.rate

    def repeat(self, attempt: Callable[[BatchSpending], Worked]) -> Mapping[str, pa.Table]:
        """Has a batch of samples that were drawn before worked at until it is whole.

        What it spends is booked with the next batch of the topic.

        Raises:
            Draining: the job ends while the batch waits for money.
        """
        return _combined(self._afforded(attempt, 1.0))

    def book(self, answers: pa.Table) -> None:
        """Enters answers, rows of `responses`, that came after their batch had ended."""
        self._spending.enter(self._bought(answers), _now_ms())

    def _rate(self, number: int, records: int) -> float:
        if not self._budgets or self._treasury.at_cap is not AtCap.SAMPLE:
            return 1.0
        return self._rates.fixed(number, lambda: self._spending.rate(_now_ms(), records))

    def _afforded(
        self, attempt: Callable[[BatchSpending], Worked], rate: float
    ) -> Afforded[Mapping[str, pa.Table]]:
        def booked(spending: BatchSpending) -> Attempt[Mapping[str, pa.Table]]:
            worked = attempt(spending)
            calls = worked.tables["calls"]
            bought = self._bought(worked.answers)
            return Attempt(worked.tables, bought, self._short(calls), self._by_budget(calls, HELD))

        done = afforded(booked, self._spending, rate, now_ms=_now_ms, wait_until=self._wait_until)
        self._count_saved(done.results[0]["calls"])
        if self._budgets:
            self._metrics.observe_budgets(self._spending.left_ratios(_now_ms()))
        return done

    def _bought(self, answers: pa.Table) -> list[Paid]:
        if not self._budgets and not self._treasury.prices.models:
            return []
        bought = paid(answers, self._treasury.prices)
        count_costs(self._metrics, bought)
        return bought

    def _short(self, calls: pa.Table) -> Collection[Budget]:
        """The budgets for want of which calls were not made."""
        short = self._by_budget(calls, REFUSED)
        for budget, n in short.items():
            self._metrics.count_refused(budget, n)
        return short.keys()

    def _by_budget(self, calls: pa.Table, metric: str) -> Counter[Budget]:
        sums: Counter[Budget] = Counter()
        if self._budgets:
            for row in calls.filter(pc.equal(calls["metric"], metric)).to_pylist():
                sums[self._budgets[row["label"]]] += row["n"]
        return sums

    def _count_saved(self, calls: pa.Table) -> None:
        """What the cache has saved of money; later attempts only find what the first has paid."""
        if not self._treasury.prices.models:
            return
        saved: Counter[tuple[str, str]] = Counter()
        for row in calls.filter(pc.equal(calls["metric"], SAVED_OF_MODEL)).to_pylist():
            saved[row["endpoint"], row["label"]] += row["n"]
        for model in {model for model, _ in saved}:
            price = self._treasury.prices.models.get(model)
            if price is not None:
                cost = price.cost(saved[model, "input"], saved[model, "output"])
                self._metrics.count_saved_cost(model, cost)

    def _wait_until(self, turn_ms: int) -> None:
        self._metrics.observe_budgets(self._spending.left_ratios(_now_ms()))
        self._metrics.observe_wait(turn_ms / 1_000)
        try:
            # In short steps, since the clock may be set meanwhile.
            while (left_s := (turn_ms - _now_ms()) / 1_000) > 0:
                self._gate.pause(min(_LONGEST_PAUSE_S, left_s))
        finally:
            self._metrics.observe_wait(0.0)


def count_costs(metrics: SpendingMetrics, bought: Iterable[Paid]) -> None:
    """Adds what answers cost to the metrics; those of models without a price have no cost."""
    for entry in bought:
        if entry.amount.money is not None:
            metrics.count_cost(entry.model, entry.amount.money)


def _combined(done: Afforded[Mapping[str, pa.Table]]) -> Mapping[str, pa.Table]:
    """The tables of the last pass, which is the whole one, with the calls of all.

    The look-ups of later passes find nothing but what the batch itself has just paid for.
    """
    first, last = done.results[0], done.results[-1]
    later = (result["calls"] for result in done.results[1:])
    made = (calls.filter(pc.is_in(calls["metric"], _OF_EVERY_ATTEMPT)) for calls in later)
    return {**last, "calls": pa.concat_tables([first["calls"], *made])}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
