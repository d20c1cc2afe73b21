"""What batches cost, what they wait for, and what is told of it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from prometheus_client import CollectorRegistry

from streaming_eval.adapters.answer_table import responses_table
from streaming_eval.adapters.batch_rate import BatchRate
from streaming_eval.adapters.call_tally import REFUSED, SAVED_OF_MODEL, CallTally
from streaming_eval.adapters.schemas import RESPONSES
from streaming_eval.adapters.spending_metrics import SpendingMetrics
from streaming_eval.inference.spending.books import BatchSpending, Treasury
from streaming_eval.inference.spending.budget import AtCap, Budget, Per, Unit
from streaming_eval.inference.spending.ledger import Ledger
from streaming_eval.inference.spending.price import Price, Prices, pico
from streaming_eval.pipeline import purchases
from streaming_eval.pipeline.gate import Draining, Gate
from streaming_eval.pipeline.purchases import Purchases, Worked
from tests.adapters.paid import paid

MODEL = "llama-2-7b"
PRICES = Prices("USD", {MODEL: Price.per_million(1.0, 2.0, None)})
COST = pico(9e-6 + 2 * 3e-6)  # of one answer of `paid`
TOKENS = Budget(Unit.TOKENS, 1_000, Per.HOUR)
NOW_MS = 1_700_000_000_000


class Books:
    """A driver's purse, with what it has told the exporter."""

    def __init__(
        self, root: Path, *budgets: Budget, at_cap: AtCap = AtCap.STOP, prices: Prices = PRICES
    ) -> None:
        self.metrics, self.gate, self.rate_file = SpendingMetrics(), Gate(), root / "rate.json"
        treasury = Treasury(budgets, prices, at_cap, 2, {MODEL: 1})
        rates = BatchRate(self.rate_file)
        self.purchases = Purchases(
            treasury, Ledger(), rates=rates, gate=self.gate, metrics=self.metrics
        )
        self.registry = CollectorRegistry()
        self.registry.register(self.metrics)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"streaming_eval_{name}", labels)


@pytest.fixture
def books(tmp_path: Path) -> Callable[..., Books]:
    return lambda *budgets, **options: Books(tmp_path, *budgets, **options)


def worked(*questions: str, refused: int = 0, saved: int = 0, requests: int = 0) -> Worked:
    """A pass over a batch: its paid answers, the calls it did not make and those it saved."""
    calls = CallTally()
    if refused:
        calls.add(REFUSED, "", str(TOKENS), refused)
    if saved:
        calls.add(SAVED_OF_MODEL, MODEL, "input", saved)
        calls.add(SAVED_OF_MODEL, MODEL, "output", 0)
        calls.add("cache_lookups", "e", "hit", 1)
    calls.add("requests", "e", "ok", requests)
    answers = responses_table(map(paid, questions)) if questions else RESPONSES.empty_table()
    return Worked({"calls": calls.table()}, answers)


def told(table: pa.Table) -> dict[tuple[str, str], int]:
    sums: dict[tuple[str, str], int] = {}
    for row in table.to_pylist():
        key = row["metric"], row["label"]
        sums[key] = sums.get(key, 0) + row["n"]
    return sums


def test_what_is_paid_for_is_counted_and_so_is_what_was_saved(books: Callable[..., Books]) -> None:
    own = books()
    tables, rate = own.purchases.batch(0, 10, lambda spending: worked("a", "b", saved=500_000))
    assert rate == 1.0
    assert own.value("cost_usd_total", model=MODEL) == pytest.approx(2 * COST / 10**12)
    assert own.value("cache_saved_cost_usd_total", model=MODEL) == 0.5
    assert told(tables["calls"])["cache_lookups", "hit"] == 1
    assert not own.rate_file.exists(), "without budgets there is no rate to remember"


def test_without_prices_nothing_has_a_cost(books: Callable[..., Books]) -> None:
    own = books(prices=Prices())
    own.purchases.batch(0, 10, lambda spending: worked("a", saved=5))
    assert own.value("cost_usd_total", model=MODEL) is None
    assert own.value("cache_saved_cost_usd_total", model=MODEL) is None


def test_workers_are_told_what_they_may_spend(books: Callable[..., Books]) -> None:
    shares: list[BatchSpending] = []

    def attempt(spending: BatchSpending) -> Worked:
        shares.append(spending)
        return worked("a")

    books(TOKENS).purchases.batch(0, 10, attempt)
    (spending,) = shares
    assert [(s.budget, s.amount, s.largest) for s in spending.shares] == [(TOKENS, 500, 500)]
    assert spending.limited == {MODEL}


def test_at_a_stop_the_batch_is_tried_until_nothing_is_lacking(
    books: Callable[..., Books], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [NOW_MS]
    monkeypatch.setattr(purchases, "_now_ms", lambda: clock[0])
    own = books(TOKENS)
    passes = [
        worked("a", refused=3, saved=7, requests=1),
        worked(refused=2),
        worked("b", requests=2),
    ]
    waits: list[float] = []

    def pause(seconds: float) -> None:
        assert own.value("budget_wait_until_timestamp_seconds") == TOKENS.per.turns_ms(NOW_MS) / 1e3
        waits.append(seconds)
        clock[0] += round(seconds * 1_000)

    own.gate.pause = pause  # type: ignore[method-assign]
    tables, _ = own.purchases.batch(0, 10, lambda spending: passes.pop(0))
    assert sum(waits) == (TOKENS.per.turns_ms(NOW_MS) - NOW_MS) / 1_000
    assert max(waits) <= 60, "the clock may be set meanwhile"
    assert own.value("budget_wait_until_timestamp_seconds") == 0
    counts = told(tables["calls"])
    assert counts["requests", "ok"] == 3, "every request of every pass"
    assert counts["cache_lookups", "hit"] == 1, "later passes find what the first has paid"
    refused = {"model": "__all__", "per": "hour", "unit": "tokens"}
    assert own.value("budget_refused_calls_total", **refused) == 5


def test_a_job_that_ends_gives_the_wait_up(books: Callable[..., Books]) -> None:
    own = books(TOKENS)
    shutting = threading.Timer(0.05, own.gate.shut, args=(5.0,))
    shutting.start()
    began = time.monotonic()
    with pytest.raises(Draining):
        own.purchases.batch(0, 10, lambda spending: worked(refused=1))
    assert time.monotonic() - began < 5
    assert own.value("budget_wait_until_timestamp_seconds") == 0
    shutting.join()


def test_when_sampling_a_batch_that_runs_out_is_asked_about_nothing(
    books: Callable[..., Books],
) -> None:
    own = books(TOKENS, at_cap=AtCap.SAMPLE)
    rates: list[float] = []

    def attempt(spending: BatchSpending) -> Worked:
        rates.append(spending.rate)
        return worked(refused=1) if spending.rate else worked()

    _, rate = own.purchases.batch(3, 1, attempt)
    assert rates[1:] == [0.0]
    assert rates[0] == json.loads(own.rate_file.read_text())["rate"] > 0
    assert rate == own.value("sampling_ratio") == 0.0


def test_samples_that_waited_are_paid_for_but_set_no_rate(books: Callable[..., Books]) -> None:
    own = books(TOKENS, at_cap=AtCap.SAMPLE)
    own.purchases.repeat(lambda spending: worked("a"))
    assert not own.rate_file.exists()
    assert own.value("cost_usd_total", model=MODEL) == pytest.approx(COST / 10**12)


def test_late_answers_are_booked(books: Callable[..., Books]) -> None:
    own = books(TOKENS)
    own.purchases.book(responses_table([paid("late")]))
    assert own.value("cost_usd_total", model=MODEL) == pytest.approx(COST / 10**12)
