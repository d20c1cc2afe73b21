"""The driver's books: which models are limited, what is planned, what is held back."""

from __future__ import annotations

import pickle

import pytest

from streaming_eval.inference.spending.affordable import Attempt, afforded
from streaming_eval.inference.spending.books import BatchSpending, Spending, Treasury
from streaming_eval.inference.spending.budget import AtCap, Budget, Per, Unit
from streaming_eval.inference.spending.ledger import Ledger
from streaming_eval.inference.spending.price import Price, Prices
from tests.inference.spending.spending_world import World

HOUR_MS = 3_600_000
TOKENS = Budget(Unit.TOKENS, 200, Per.HOUR)
MONEY = Budget(Unit.MONEY, 400, Per.DAY)
OF_B = Budget(Unit.TOKENS, 60, Per.HOUR, model="b")


def test_a_free_model_is_limited_by_tokens_and_not_by_money() -> None:
    prices = Prices("USD", {"dear": Price(1, 1), "own": Price(0, 0)})
    for unit_, limited in ((Unit.MONEY, {"dear"}), (Unit.TOKENS, {"dear", "own"})):
        budgets = (Budget(unit_, 100, Per.DAY),)
        treasury = Treasury(budgets, prices, AtCap.SAMPLE, 1, {"dear": 1, "own": 1})
        assert treasury.limited == limited
        assert Spending(treasury, Ledger()).plan(0, 1.0).limited == limited


def test_a_budget_of_one_model_limits_no_other() -> None:
    treasury = Treasury((OF_B,), Prices(), AtCap.STOP, 1, {"a": 1, "b": 1})
    assert treasury.limited == {"b"}


def test_a_budget_in_money_for_a_model_without_a_price_is_refused() -> None:
    with pytest.raises(ValueError, match="covers 'a', which has no price"):
        Treasury((MONEY,), Prices(), AtCap.STOP, 1, {"a": 1})
    Treasury((TOKENS,), Prices(), AtCap.STOP, 1, {"a": 1})


def test_what_lacks_several_budgets_waits_for_all_of_them() -> None:
    """A day's budget that is gone makes the turn of the hour no reason to try again."""
    assert Spending.turns_ms({TOKENS, MONEY}, 5 * HOUR_MS + 1) == 24 * HOUR_MS
    assert Spending.turns_ms({TOKENS}, 5 * HOUR_MS + 1) == 6 * HOUR_MS


def test_what_is_held_back_for_calls_that_outlast_their_batch_is_not_planned_with() -> None:
    spending = World((TOKENS,), tasks=1).spending
    spending.record([], {TOKENS: 150}, 0)
    assert spending.plan(0, 1.0).shares[0].amount == 50
    assert spending.left_ratios(0) == {TOKENS: 1.0}
    spending.record([], {TOKENS: 250}, 0)
    assert spending.plan(0, 1.0).shares[0].amount == 0
    spending.record([], {}, 0)
    assert spending.plan(0, 1.0).shares[0].amount == 200


def test_after_a_wait_nothing_is_held_back_any_more() -> None:
    """Or a batch could wait for a second day for calls that ended on the first."""
    spending = World((TOKENS,), tasks=1).spending
    seen: list[int] = []

    def attempt(plan: BatchSpending) -> Attempt[None]:
        seen.append(plan.shares[0].amount)
        return Attempt(None, [], {TOKENS} if len(seen) == 1 else (), {TOKENS: 150})

    afforded(attempt, spending, 1.0, now_ms=lambda: 0, wait_until=lambda _: None)
    assert seen == [200, 200]


def test_what_a_worker_is_told_can_be_sent_to_it() -> None:
    plan = World((TOKENS, MONEY, OF_B), AtCap.SAMPLE).spending.plan(0, 0.5)
    assert pickle.loads(pickle.dumps(plan)) == plan
