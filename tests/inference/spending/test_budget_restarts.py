"""What deaths of the driver change in the spending of a job: nothing, unless calls fail."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from streaming_eval.inference.spending.budget import AtCap, Budget
from tests.inference.spending.spending_jobs import BUDGETS, KILLS, TOKENS, calls, jobs
from tests.inference.spending.spending_world import Call, World

HOUR_MS = 3_600_000


@effort(max_examples=30, deadline=None)
@given(BUDGETS, st.integers(1, 3), jobs(20, failing=False), KILLS)
def test_a_restart_changes_nothing_where_no_call_fails(
    budgets: tuple[Budget, ...],
    tasks: int,
    batches: list[list[Call]],
    kill_after: frozenset[int],
) -> None:
    """The books of the process that was killed are those that its successor makes."""
    undisturbed = World(budgets, AtCap.STOP, tasks, attempt_ms=0)
    world = disturbed(undisturbed, kill_after)
    for job in (world, undisturbed):
        list(job.run(batches))
    assert (world.table, world.waited_ms) == (undisturbed.table, undisturbed.waited_ms)
    now_ms = world.now_ms
    assert world.restarted().left_ratios(now_ms) == world.spending.left_ratios(now_ms)


@effort(max_examples=30, deadline=None)
@given(BUDGETS, st.integers(1, 3), jobs(20), st.lists(calls(60), max_size=25), KILLS)
def test_where_calls_fail_restarts_change_no_payment_of_the_batch_and_add_one_wait_at_most(
    budgets: tuple[Budget, ...],
    tasks: int,
    before: list[list[Call]],
    batch: list[Call],
    kill_after: frozenset[int],
) -> None:
    """Failed calls are made again, and what they hold back may not be left any more."""
    undisturbed = World(budgets, AtCap.STOP, tasks, attempt_ms=0)
    list(undisturbed.run(before))
    world = disturbed(undisturbed, kill_after)
    for job in (world, undisturbed):
        list(job.run([batch]))
    assert world.table == undisturbed.table
    waits = len(undisturbed.waited_ms)
    assert world.waited_ms[:waits] == undisturbed.waited_ms
    assert len(world.waited_ms[waits:]) <= any(call.fails for call in batch)
    now_ms = world.now_ms
    assert world.restarted().left_ratios(now_ms) == world.spending.left_ratios(now_ms)


def disturbed(world: World, kill_after: frozenset[int]) -> World:
    """The same job from here on, but for its driver's deaths, counted in attempts from here."""
    return replace(
        world,
        kill_after=frozenset(world.attempts + n for n in kill_after),
        table=[*world.table],
        cache={*world.cache},
        waited_ms=[*world.waited_ms],
        rates={},
    )


def test_a_failed_call_that_a_restart_repeats_waits_until_its_budget_can_pay_it() -> None:
    """What it held back the first time went to the other call, after it had failed."""
    batch = [Call("1", "a", 50, 0, fails=True), Call("2", "a", 180, 180)]
    waits = []
    for kill_after in (frozenset[int](), frozenset({1})):
        world = World((TOKENS,), tasks=1, attempt_ms=0, kill_after=kill_after)
        (done,) = world.run([batch])
        assert done.results[-1] == ["http_500", None]
        assert [paid.amount.tokens for paid in world.table] == [180]
        waits.append(world.waited_ms)
    assert waits == [[], [HOUR_MS - 1_741_500_000_000 % HOUR_MS]]
