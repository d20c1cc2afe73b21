"""Budgets by UTC hour and day, and the ledger that says what is left of them."""

from __future__ import annotations

import datetime as dt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.inference.spending.budget import Amount, Budget, Per, Unit
from streaming_eval.inference.spending.ledger import Ledger, Paid, began_ms

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
NOON_MS = round(dt.datetime(2025, 3, 9, 12, 30, tzinfo=dt.UTC).timestamp() * 1_000)
TOKENS_PER_HOUR = Budget(Unit.TOKENS, 1_000, Per.HOUR)
ALL_BUDGETS = [
    Budget(unit, 1_000, per, model) for unit in Unit for per in Per for model in (None, "a", "b")
]

answers = st.lists(
    st.builds(
        Paid,
        st.integers(NOON_MS - DAY_MS, NOON_MS),
        st.sampled_from(["a", "b", "c"]),
        st.builds(Amount, st.integers(0, 50), st.none() | st.integers(0, 50)),
    ),
    max_size=30,
)


def test_an_hour_and_a_day_begin_where_utc_says() -> None:
    assert Per.HOUR.began_ms(NOON_MS) == NOON_MS - 30 * 60_000
    assert Per.HOUR.turns_ms(NOON_MS) == NOON_MS + 30 * 60_000
    assert Per.DAY.began_ms(NOON_MS) == NOON_MS - 12 * HOUR_MS - 30 * 60_000
    assert Per.DAY.turns_ms(NOON_MS) == Per.DAY.began_ms(NOON_MS) + DAY_MS


def test_a_span_that_turns_is_over_at_that_very_millisecond() -> None:
    turn = Per.HOUR.turns_ms(NOON_MS)
    assert Per.HOUR.began_ms(turn) == turn
    assert Per.HOUR.began_ms(turn - 1) == turn - HOUR_MS


@pytest.mark.parametrize("cap", [0, -1])
def test_a_budget_of_nothing_is_no_budget(cap: int) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        Budget(Unit.MONEY, cap, Per.DAY)


def test_a_budget_names_what_it_is_for() -> None:
    assert str(TOKENS_PER_HOUR) == "tokens per hour of the job"
    assert str(Budget(Unit.MONEY, 1, Per.DAY, "gpt")) == "money per day of model gpt"
    assert len({str(budget) for budget in ALL_BUDGETS}) == len(ALL_BUDGETS)


@given(answers)
def test_what_is_left_is_the_cap_less_the_answers_of_the_span(entries: list[Paid]) -> None:
    ledger = Ledger().record(entries, NOON_MS)
    for budget in ALL_BUDGETS:
        spent = sum(
            entry.amount.of(budget.unit)
            for entry in entries
            if entry.at_ms >= budget.per.began_ms(NOON_MS) and budget.covers(entry.model)
        )
        assert ledger.spent(budget, NOON_MS) == spent
        assert ledger.left(budget, NOON_MS) == max(0, 1_000 - spent)


@given(answers, st.randoms(), st.integers(0, 30))
def test_neither_order_nor_the_cut_into_batches_matters(
    entries: list[Paid], random: Random, cut: int
) -> None:
    shuffled = random.sample(entries, len(entries))
    one = Ledger().record(entries, NOON_MS)
    two = Ledger().record(shuffled[:cut], NOON_MS).record(shuffled[cut:], NOON_MS)
    assert one == two


@given(answers)
def test_a_ledger_made_after_a_restart_is_the_one_that_was_kept_up(entries: list[Paid]) -> None:
    """Only what was paid since `began_ms` is read; the rest counts in no budget any more."""
    kept_up = Ledger()
    for entry in sorted(entries, key=lambda entry: entry.at_ms):
        kept_up = kept_up.record([entry], entry.at_ms)
    recent = [entry for entry in entries if entry.at_ms >= began_ms(NOON_MS)]
    restarted = Ledger().record(recent, NOON_MS)
    for budget in ALL_BUDGETS:
        assert restarted.spent(budget, NOON_MS) == kept_up.spent(budget, NOON_MS)


def test_a_new_span_is_full_again() -> None:
    ledger = Ledger().record([Paid(NOON_MS, "a", Amount(tokens=900))], NOON_MS)
    turn = Per.HOUR.turns_ms(NOON_MS)
    assert ledger.left(TOKENS_PER_HOUR, turn - 1) == 100
    assert ledger.left(TOKENS_PER_HOUR, turn) == 1_000


def test_a_clock_set_back_by_a_day_finds_what_it_had_spent() -> None:
    ledger = Ledger().record([Paid(NOON_MS, "a", Amount(tokens=900))], NOON_MS)
    ledger = ledger.record([], NOON_MS + DAY_MS)
    assert ledger.left(TOKENS_PER_HOUR, NOON_MS) == 100


def test_a_ledger_of_a_year_keeps_the_hours_of_two_days() -> None:
    ledger = Ledger()
    for hour in range(24 * 365):
        ledger = ledger.record([Paid(hour * HOUR_MS, "a", Amount(1))], hour * HOUR_MS)
    assert len(ledger.hours) == 49


def test_an_overspent_budget_has_nothing_left() -> None:
    ledger = Ledger().record([Paid(NOON_MS, "a", Amount(tokens=1_200))], NOON_MS)
    assert ledger.left(TOKENS_PER_HOUR, NOON_MS) == 0
