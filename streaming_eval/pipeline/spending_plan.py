"""From the settings on prices and budgets to what the driver spends by."""

from __future__ import annotations

import time
from collections import Counter

from streaming_eval.adapters.batch_rate import BatchRate
from streaming_eval.adapters.paid_answers import paid_since
from streaming_eval.adapters.spending_metrics import SpendingMetrics
from streaming_eval.adapters.tables import Tables
from streaming_eval.inference.evaluate import Embedder, EvaluationPlan
from streaming_eval.inference.spending.books import Treasury
from streaming_eval.inference.spending.budget import AtCap, Budget, Per, Unit
from streaming_eval.inference.spending.ledger import Ledger, began_ms
from streaming_eval.inference.spending.price import Price, Prices, pico
from streaming_eval.pipeline.gate import Gate
from streaming_eval.pipeline.purchases import Purchases, count_costs
from streaming_eval.settings import Settings
from streaming_eval.settings.spending import BudgetSettings, BudgetsSettings, PricesSettings


def prices(settings: PricesSettings) -> Prices:
    """The price table."""
    return Prices(
        settings.currency,
        {p.model: Price.per_million(p.input, p.output, p.cached_input) for p in settings.models},
    )


def treasury(
    budgets: BudgetsSettings, prices: Prices, evaluation: EvaluationPlan, tasks: int
) -> Treasury:
    """What may be spent, on the calls that this evaluation may make, by so many tasks at once."""
    return Treasury(
        tuple(_budget(cap) for cap in budgets.caps),
        prices,
        AtCap(budgets.at_cap),
        tasks,
        calls_per_sample(evaluation),
    )


def calls_per_sample(plan: EvaluationPlan) -> dict[str, int]:
    """Model, as its endpoint calls it, to the calls that one sample needs at most.

    Every candidate is asked once; every judge once about each candidate and about production; an
    embedding model likewise, and about the target, where more than one is the exception, but only
    once about a prompt. A judge that is held against people is asked about one anchor.
    """
    calls = Counter(candidate.model for candidate in plan.candidates)
    for scorer in plan.scorers:
        if scorer.judge is not None:
            targets = 1 if isinstance(scorer.judge, Embedder) else 0
            of_candidates = 0 if scorer.definition.of_prompt else len(plan.candidates)
            calls[scorer.judge.call.model] += of_candidates + 1 + targets
    calls.update(anchored.judge.call.model for anchored in plan.anchored)
    return dict(calls)


def open_books(
    settings: Settings,
    evaluation: EvaluationPlan,
    tables: Tables,
    *,
    rates: BatchRate,
    gate: Gate,
    metrics: SpendingMetrics,
) -> Purchases:
    """The driver's purse, with what the `responses` table says that this job has spent."""
    table, now_ms = prices(settings.prices), time.time_ns() // 1_000_000
    allowed = treasury(settings.budgets, table, evaluation, settings.spark.partitions)
    if table.models:
        count_costs(metrics, paid_since(tables, settings.job, 0, table))
    ledger = Ledger()
    if allowed.budgets:
        today = paid_since(tables, settings.job, began_ms(now_ms), table)
        ledger = ledger.record(today, now_ms)
    return Purchases(allowed, ledger, rates=rates, gate=gate, metrics=metrics)


def _budget(cap: BudgetSettings) -> Budget:
    if cap.money is not None:
        return Budget(Unit.MONEY, pico(cap.money), Per(cap.per), cap.model)
    assert cap.tokens is not None  # the settings' own check
    return Budget(Unit.TOKENS, cap.tokens, Per(cap.per), cap.model)
