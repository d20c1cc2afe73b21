"""Whole jobs against their budgets: what is spent, what waits, what is sampled."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from streaming_eval.inference.spending.budget import AtCap, Budget, Per, Unit
from streaming_eval.inference.spending.sampling import unit
from tests.inference.spending.spending_jobs import BUDGETS, KILLS, OF_B, TOKENS, jobs
from tests.inference.spending.spending_world import Call, World, excess

HOUR_MS = 3_600_000


@effort(max_examples=40, deadline=None)
@given(BUDGETS, st.sampled_from(AtCap), st.integers(1, 3), jobs(20), KILLS)
def test_no_budget_is_ever_passed_by_answers_within_their_limits(
    budgets: tuple[Budget, ...],
    at_cap: AtCap,
    tasks: int,
    batches: list[list[Call]],
    kill_after: frozenset[int],
) -> None:
    world = World(budgets, at_cap, tasks, kill_after=kill_after)
    list(world.run(batches))
    for budget in budgets:
        assert max(world.spent(budget).values(), default=0) <= budget.cap


@effort(max_examples=40, deadline=None)
@given(BUDGETS, st.sampled_from(AtCap), st.integers(1, 3), jobs(20, over=30), KILLS)
def test_longer_answers_pass_it_by_their_excess_for_each_call_open_at_once(
    budgets: tuple[Budget, ...],
    at_cap: AtCap,
    tasks: int,
    batches: list[list[Call]],
    kill_after: frozenset[int],
) -> None:
    world = World(budgets, at_cap, tasks, at_once=3, kill_after=kill_after)
    list(world.run(batches))
    for budget in budgets:
        bound = tasks * 3 * excess(budget, [call for batch in batches for call in batch])
        assert max(world.spent(budget).values(), default=0) <= budget.cap + bound


@effort(max_examples=30, deadline=None)
@given(BUDGETS, st.integers(1, 3), jobs(20), KILLS)
def test_stop_ends_with_every_call_made(
    budgets: tuple[Budget, ...],
    tasks: int,
    batches: list[list[Call]],
    kill_after: frozenset[int],
) -> None:
    world = World(budgets, AtCap.STOP, tasks, kill_after=kill_after)
    done = list(world.run(batches))
    assert len(done) == len(batches)
    for made, batch in zip(done, batches, strict=True):
        errors = [*made.results[-1]]
        assert len(errors) == len(batch)
        assert set(errors) <= {None, "http_500"}
        assert errors.count("http_500") == sum(call.fails for call in batch)
        assert made.rate == 1


@effort(max_examples=30, deadline=None)
@given(BUDGETS, jobs(20), KILLS)
def test_sample_never_waits_and_asks_about_samples_by_their_number_alone(
    budgets: tuple[Budget, ...], batches: list[list[Call]], kill_after: frozenset[int]
) -> None:
    world = World(budgets, AtCap.SAMPLE, kill_after=kill_after)
    limited = {"a", "b"} if budgets != (OF_B,) else {"b"}
    for n, done in enumerate(world.run(batches)):
        drawn = [
            call for call in batches[n]
            if unit(call.sample) < done.rate or call.model not in limited
        ]  # fmt: skip
        assert len(done.results[-1]) == len(drawn)
        assert "budget" not in done.results[-1]
        assert done.rate in (world.rates[n], 0.0)
    assert world.waited_ms == []


def test_stop_waits_for_the_turn_of_what_is_used_up_and_for_no_more() -> None:
    world = World((TOKENS, Budget(Unit.TOKENS, 10_000, Per.DAY)), attempt_ms=0)
    batch = [Call(f"{n}", "a", 10, 10) for n in range(30)]
    (done,) = world.run([batch])
    assert world.waited_ms == [HOUR_MS - 1_741_500_000_000 % HOUR_MS]
    assert world.spent(TOKENS) == {
        TOKENS.per.began_ms(1_741_500_000_000): 200,
        TOKENS.per.turns_ms(1_741_500_000_000): 100,
    }
    assert len(done.results) == 3  # one that ran out, one that made no call, one after the wait


def test_a_batch_of_known_answers_passes_although_nothing_is_left() -> None:
    world = World((TOKENS,))
    batch = [Call(f"{n}", "a", 10, 10) for n in range(20)]
    list(world.run([batch, batch, batch]))
    assert world.spending.left_ratios(world.now_ms) == {TOKENS: 0.0}
    assert (world.waited_ms, world.attempts) == ([], 3)


def test_a_task_with_more_work_gets_what_the_others_have_left() -> None:
    """Every call falls to the first of three tasks, whose first share is a third."""
    world = World((TOKENS,), tasks=3)
    idle = [Call("known", "a", 1, 0)]
    batch = [call for n in range(15) for call in [Call(f"{n}", "a", 10, 10), *idle, *idle]]
    list(world.run([idle, batch]))
    assert world.waited_ms == []
    assert sum(world.spent(TOKENS).values()) == 150


def test_a_call_that_no_share_can_pay_does_not_hold_up_its_batch() -> None:
    world = World((TOKENS,), tasks=2)
    (done,) = world.run([[Call("1", "a", 101, 1), Call("2", "a", 100, 1)]])
    assert done.results == (["exceeds_budget", None],)
    assert world.waited_ms == []


def test_sample_gives_a_batch_up_whose_money_ran_out_half_way() -> None:
    """Outputs grew tenfold: what is planned for the batch does not last."""
    world = World((TOKENS,), AtCap.SAMPLE, tasks=1)
    world.rates[0] = 1.0
    (done,) = world.run([[Call(f"{n}", "a", 50, 50) for n in range(20)]])
    assert (len(done.results), done.rate) == (2, 0.0)
    assert done.results[-1] == []
    assert sum(world.spent(TOKENS).values()) == 200


def test_sampling_lets_an_hours_budget_last_the_hour() -> None:
    cap = 60_000
    budget = Budget(Unit.TOKENS, cap, Per.HOUR)
    world = World((budget,), AtCap.SAMPLE, attempt_ms=10_000, now_ms=HOUR_MS * 400_000)
    batches = [[Call(f"{n}-{i}", "a", 30, 10) for i in range(50)] for n in range(350)]
    rates = [done.rate for done in world.run(batches)]
    spent = world.spent(budget)[HOUR_MS * 400_000]
    assert 0.9 * cap < spent <= cap
    assert min(rates) > 0
    middle = sum(rates[100:250]) / 150
    assert middle == pytest.approx(cap / (350 * 500), rel=0.15)


def test_the_lowest_rate_that_any_budget_asks_for_holds_for_all() -> None:
    tight, wide = Budget(Unit.TOKENS, 100, Per.HOUR), Budget(Unit.TOKENS, 100_000, Per.HOUR)
    alone, both = (World(b, AtCap.SAMPLE).spending for b in ((tight,), (wide, tight)))
    assert both.rate(0, 100) == alone.rate(0, 100) < 1


def test_without_budgets_everything_is_asked_and_nothing_refused() -> None:
    world = World((), AtCap.SAMPLE)
    (done,) = world.run([[Call(f"{n}", "a", 10**9, 10**9) for n in range(10)]])
    assert (done.results, done.rate) == (([None] * 10,), 1.0)


def test_a_share_is_what_is_left_divided_by_the_tasks() -> None:
    world = World((TOKENS,), tasks=3)
    (share,) = world.spending.plan(world.now_ms, 1.0).shares
    assert (share.amount, share.largest) == (66, 66)
    list(world.run([[Call("1", "a", 10, 50)]]))
    (share,) = world.spending.plan(world.now_ms, 1.0).shares
    assert (share.amount, share.largest) == (50, 66)
