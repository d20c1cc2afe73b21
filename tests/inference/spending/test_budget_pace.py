"""The rate at which a budget lasts to the end of its span."""

from __future__ import annotations

from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.inference.spending.pace import BATCH_SHARE, LOWEST_RATE, MEMORY_S, Pace, rate

HOUR_S = 3_600.0


def steady(per_record: float, per_second: float) -> Pace:
    """A pace of so much per record at one record a second, and so many seconds' worth of it."""
    records = per_second / per_record * 1_000
    return Pace(full=per_record * records, asked=records, records=records, seconds=1_000.0)


def used_up(
    cap: int, demand: list[int], *, per_record: int, batch_s: float
) -> tuple[float, list[float]]:
    """The share of an hour's budget that is spent on batches of so many records, and the rates."""
    pace, left, rates = Pace.guess(10.0 * per_record), cap, []
    for n, records in enumerate(demand):
        rates.append(rate(left, HOUR_S - n * batch_s, pace, records))
        spent = min(left, round(rates[-1] * records) * per_record)
        left -= spent
        pace = pace.update(
            spent=spent, rate=rates[-1], records=records, seconds=batch_s if n else 0.0
        )
    return 1 - left / cap, rates


def test_an_even_demand_is_met_in_the_proportion_that_lasts() -> None:
    pace = steady(per_record=10.0, per_second=100.0)
    assert rate(90_000, HOUR_S, pace, records=10) == pytest.approx(0.25)


def test_a_budget_that_lasts_anyway_is_not_saved() -> None:
    assert rate(10**9, HOUR_S, steady(10.0, 100.0), records=10) == 1.0
    assert rate(10**9, HOUR_S, Pace(), records=10) == 1.0


def test_one_batch_is_not_planned_to_take_more_than_its_share_of_the_rest() -> None:
    quiet = steady(per_record=10.0, per_second=0.001)
    burst = rate(1_000, HOUR_S, quiet, records=8_000)
    assert burst * 8_000 * 10.0 == pytest.approx(BATCH_SHARE * 1_000)


def test_the_first_batch_is_planned_by_the_guess() -> None:
    assert rate(1_000, HOUR_S, Pace.guess(10.0), records=100) == pytest.approx(0.25)


def test_a_rate_that_tells_nothing_is_none() -> None:
    pace = steady(per_record=1.0, per_second=1.0)
    assert rate(4, HOUR_S, pace, records=1) > LOWEST_RATE
    assert rate(3, HOUR_S, pace, records=1) == 0.0
    assert rate(0, HOUR_S, pace, records=1) == 0.0


@given(
    st.integers(0, 10**9),
    st.floats(1, 86_400),
    st.floats(0, 1e6),
    st.floats(0, 1e6),
    st.integers(0, 10_000),
)
def test_less_that_is_left_never_raises_the_rate(
    left: int, seconds_left: float, full: float, records: float, batch: int
) -> None:
    pace = Pace(full, 100.0, records, 50.0)
    lower, higher = (rate(n, seconds_left, pace, batch) for n in (left // 2, left))
    assert 0 <= lower <= higher <= 1


@pytest.mark.parametrize("seen_at", [0.01, 0.5, 1.0])
def test_what_a_record_would_take_does_not_depend_on_the_rate_it_was_seen_at(
    seen_at: float,
) -> None:
    pace = Pace().update(spent=round(7_000 * seen_at), rate=seen_at, records=1_000, seconds=1.0)
    assert pace.per_record == pytest.approx(7.0)
    assert pace.per_second == pytest.approx(7_000.0)


def test_a_batch_about_which_nobody_was_asked_tells_only_how_many_come() -> None:
    pace = Pace().update(spent=70, rate=1.0, records=10, seconds=1.0)
    pace = pace.update(spent=0, rate=0.0, records=30, seconds=0.0)
    assert pace.per_record == 7.0
    assert pace.per_second == 7.0 * 40


def test_what_was_is_forgotten() -> None:
    pace = Pace().update(spent=1_000, rate=1.0, records=1_000, seconds=0.0)
    pace = pace.update(spent=5_000, rate=1.0, records=1_000, seconds=MEMORY_S)
    assert pace.per_record == pytest.approx((exp(-1) + 5) / (exp(-1) + 1))


def test_after_a_day_without_answers_a_record_still_takes_what_it_took() -> None:
    pace = Pace().update(spent=70, rate=1.0, records=10, seconds=0.0)
    for _ in range(10_000):
        pace = pace.update(spent=0, rate=0.0, records=10, seconds=10.0)
    assert pace.per_record == pytest.approx(7.0)
    assert pace.per_second == pytest.approx(7.0)


@pytest.mark.parametrize("cap", [20_000, 100_000, 300_000])
def test_an_hours_budget_lasts_the_hour_and_is_used(cap: int) -> None:
    """360,000 would be needed; the rate ends near the proportion that there is money for."""
    spent, rates = used_up(cap, [100] * 360, per_record=10, batch_s=10.0)
    assert spent > 0.95
    assert min(rates[:-10]) > 0
    assert rates[180] == pytest.approx(cap / 360_000, rel=0.15)


def test_a_burst_leaves_something_for_the_rest_of_the_hour() -> None:
    demand = [10] * 100 + [8_000] * 10 + [10] * 250
    spent, rates = used_up(30_000, demand, per_record=10, batch_s=10.0)
    assert spent > 0.5
    assert min(rates[110:350]) > 0
