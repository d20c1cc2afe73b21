"""Work that is begun at once and becomes a task only where it waits."""

from __future__ import annotations

import asyncio

import pytest

from streaming_eval.inference.calls.eager import results, started


async def answer(value: int) -> int:
    return value


async def waiting(gate: asyncio.Future[int], seen: list[str]) -> int:
    seen.append("begun")
    try:
        first = await gate
        await asyncio.sleep(0)
        return first + 1
    finally:
        seen.append("ended")


async def test_work_that_does_not_wait_has_its_result_at_once() -> None:
    before = asyncio.all_tasks()
    assert started(answer(3)) == 3
    assert asyncio.all_tasks() == before


async def test_work_that_waits_goes_on_as_a_task_and_results_keep_their_order() -> None:
    gate: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    seen: list[str] = []
    begun = [started(answer(1)), started(waiting(gate, seen)), started(answer(9))]
    assert seen == ["begun"]
    gate.set_result(4)
    assert await results(begun) == [1, 5, 9]
    assert seen == ["begun", "ended"]


async def test_what_work_raises_before_it_waits_is_raised_at_once() -> None:
    async def broken() -> int:
        raise ValueError("at once")

    with pytest.raises(ValueError, match="at once"):
        started(broken())


async def test_what_it_waits_for_may_fail_and_work_may_handle_that() -> None:
    gate: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def patient() -> int:
        try:
            return await gate
        except ValueError:
            return -1

    begun, unhandled = started(patient()), started(waiting(gate, []))
    gate.set_exception(ValueError("later"))
    assert await results([begun]) == [-1]
    with pytest.raises(ValueError, match="later"):
        await results([unhandled])


async def test_a_cancelled_task_cancels_what_the_work_waits_for() -> None:
    gate: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    seen: list[str] = []
    begun = started(waiting(gate, seen))
    assert isinstance(begun, asyncio.Future)
    await asyncio.sleep(0)
    begun.cancel()
    with pytest.raises(asyncio.CancelledError):
        await begun
    assert gate.cancelled()
    assert seen == ["begun", "ended"]


async def test_work_may_yield_to_the_loop_without_a_future() -> None:
    async def polite() -> str:
        for _ in range(3):
            await asyncio.sleep(0)
        return "done"

    assert await results([started(polite())]) == ["done"]
