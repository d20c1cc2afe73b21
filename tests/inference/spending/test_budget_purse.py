"""A task's share of the budgets: calls take before they are made and give back after."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.errors import PermanentError
from streaming_eval.inference.cache.cache_key import cache_key
from streaming_eval.inference.cache.with_cache import CachePolicy, with_cache
from streaming_eval.inference.complete import Complete
from streaming_eval.inference.spending.budget import Amount, Budget, Per, Unit
from streaming_eval.inference.spending.purse import Purse, Share, with_budget
from streaming_eval.records import Request, Response
from tests.inference.calls.scripted import HeldSend, ScriptedSend, answer, settle
from tests.inference.requests import request

JOB = Budget(Unit.TOKENS, 1_000, Per.DAY)
DEAR = Budget(Unit.MONEY, 1_000, Per.HOUR, model="dear")
FAILED = Response(None, error="http_500")


def purse(amount: int = 100, *, at_once: int = 64, dear: int | None = None) -> Purse:
    shares = [Share(JOB, amount, 1_000)]
    return Purse(shares + ([] if dear is None else [Share(DEAR, dear, 1_000)]), at_once)


def paying(
    complete: Complete, purse: Purse, *, most: int = 10, costs: int = 10, money: int = 0
) -> Complete:
    def charged(asked: Request, response: Response) -> Amount:
        return Amount(costs, money) if response.error is None else Amount()

    return with_budget(complete, purse, at_most=lambda _: Amount(most, money), charged=charged)


async def all_of(complete: Complete, n: int, model: str = "llama-2-7b") -> list[str | None]:
    responses = await asyncio.gather(*(complete(request(model=model)) for _ in range(n)))
    return [response.error for response in responses]


async def test_calls_are_made_until_the_share_is_used_up() -> None:
    send, mine = ScriptedSend(answer()), purse(100)
    errors = await all_of(paying(send, mine), 12)
    assert errors == [None] * 10 + ["budget"] * 2
    assert len(send.asked) == 10
    assert mine.left == {JOB: 0}
    assert mine.refused == {JOB: 2}


async def test_a_refused_call_says_of_which_budget_too_little_is_left() -> None:
    response = await paying(ScriptedSend(answer()), purse(9))(request())
    assert (response.text, response.attempts) == (None, 0)
    assert response.error_detail == "too little is left of tokens per day of the job"


async def test_what_an_answer_did_not_cost_pays_for_others() -> None:
    """Three times as much is held back as is used: waiting calls are made once that is known."""
    send, mine = ScriptedSend(answer()), purse(100)
    errors = await all_of(paying(send, mine, most=30, costs=10), 12)
    assert errors.count(None) == 8  # with 20 left, 30 can not be held back any more
    assert mine.left == {JOB: 20}


@pytest.mark.parametrize("outcome", [FAILED, PermanentError("http_400", "")])
async def test_a_failed_call_gives_all_back(outcome: Response | PermanentError) -> None:
    mine = purse(10)

    async def fail(_: Request) -> Response:
        if isinstance(outcome, PermanentError):
            raise outcome
        return outcome

    complete = paying(fail, mine)
    for _ in range(3):
        if isinstance(outcome, PermanentError):
            with pytest.raises(PermanentError):
                await complete(request())
        else:
            assert await complete(request()) == FAILED
    assert mine.left == {JOB: 10}


async def test_a_cancelled_call_gives_all_back_and_lets_the_next_one_in() -> None:
    send, mine = HeldSend(), purse(10)
    complete = paying(send, mine)
    first, second = (asyncio.ensure_future(complete(request())) for _ in range(2))
    await settle()
    assert send.begun == 1
    first.cancel()
    await settle()
    assert send.begun == 2
    send.release.set()
    assert (await second).error is None
    assert mine.left == {JOB: 0}


async def test_a_waiting_call_that_is_cancelled_holds_nobody_up() -> None:
    send, mine = HeldSend(), purse(10)
    complete = paying(send, mine, costs=0)
    tasks = [asyncio.ensure_future(complete(request())) for _ in range(3)]
    await settle()
    tasks[1].cancel()
    send.release.set()
    assert (await asyncio.wait_for(tasks[2], 1)).error is None


async def test_a_call_beyond_every_share_is_refused_for_good_and_not_for_now() -> None:
    send, mine = ScriptedSend(answer()), purse(100)
    response = await paying(send, mine, most=1_001)(request())
    assert response.error == "exceeds_budget"
    assert "max_tokens" in str(response.error_detail)
    assert (send.asked, mine.refused) == ([], {})


async def test_every_budget_that_covers_a_model_must_pay() -> None:
    mine = purse(100, dear=25)
    complete = paying(ScriptedSend(answer()), mine, money=10)
    assert await all_of(complete, 3, "dear") == [None, None, "budget"]
    assert mine.left == {JOB: 80, DEAR: 5}
    assert mine.refused == {DEAR: 1}
    assert await all_of(complete, 8, "cheap") == [None] * 8
    assert mine.left == {JOB: 0, DEAR: 5}


async def test_a_model_whose_budget_is_gone_does_not_hold_up_the_others() -> None:
    send, mine = HeldSend(), purse(100, dear=10)
    complete = paying(send, mine, money=10)
    dear = [asyncio.ensure_future(complete(request(model="dear"))) for _ in range(3)]
    await settle()
    cheap = asyncio.ensure_future(complete(request(model="cheap")))
    await settle()
    assert send.begun == 2
    send.release.set()
    assert [response.error for response in await asyncio.gather(*dear, cheap)] == [
        None, "budget", "budget", None,
    ]  # fmt: skip


async def test_a_call_that_takes_nothing_passes_an_overdrawn_share() -> None:
    mine = purse(100, dear=10)
    assert await all_of(paying(ScriptedSend(answer()), mine, costs=150), 1, "cheap") == [None]
    assert mine.left[JOB] == -50
    assert await all_of(paying(ScriptedSend(answer()), mine, most=0, costs=0), 1) == [None]


async def test_no_more_than_so_many_are_paid_for_and_unanswered_at_once() -> None:
    send, mine = HeldSend(), purse(1_000, at_once=3)
    complete = paying(send, mine)
    tasks = [asyncio.ensure_future(complete(request())) for _ in range(20)]
    await settle()
    assert send.under_way == 3
    send.release.set()
    await asyncio.gather(*tasks)
    assert send.most_under_way == 3


async def test_who_asks_first_is_paid_for_first() -> None:
    order: list[str] = []

    async def note(asked: Request) -> Response:
        order.append(asked.messages[0].content)
        await asyncio.sleep(0)
        return answer()

    complete = paying(note, purse(50, at_once=2))
    questions = [f"question {n}" for n in range(8)]
    await asyncio.gather(*(complete(request(question)) for question in questions))
    assert order == questions[:5]


@given(
    share=st.integers(0, 300),
    at_once=st.integers(1, 8),
    calls=st.lists(st.tuples(st.integers(1, 60), st.integers(0, 100)), max_size=30),
)
def test_a_share_is_passed_by_no_more_than_the_excess_of_the_calls_open_at_once(
    share: int, at_once: int, calls: list[tuple[int, int]]
) -> None:
    """`calls` are what is held back for each and what it costs; one may cost more."""

    async def run() -> int:
        mine = purse(share, at_once=at_once)
        queue = iter(calls)

        async def one() -> None:
            most, costs = next(queue)
            complete = paying(ScriptedSend(answer()), mine, most=most, costs=costs)
            await complete(request())

        await asyncio.gather(*(one() for _ in calls))
        return mine.left[JOB]

    excess = max((max(0, costs - most) for most, costs in calls), default=0)
    assert asyncio.run(run()) >= -at_once * excess


async def test_what_is_held_back_for_calls_under_way_is_known() -> None:
    send, mine = HeldSend(), purse(100, dear=100)
    complete = paying(send, mine, most=30, costs=10)
    tasks = [asyncio.ensure_future(complete(request())) for _ in range(2)]
    await settle()
    assert mine.held == {JOB: 60}
    send.release.set()
    await asyncio.gather(*tasks)
    assert mine.held == {}


async def test_cached_answers_are_served_although_nothing_is_left() -> None:
    """And a question that was refused is asked by the next batch, which has a purse of its own."""
    known = answer("known")
    for share, error in ((0, "budget"), (10, None)):
        complete = with_cache(
            paying(ScriptedSend(answer()), purse(share)),
            lookup={cache_key(request("known")): known}.get,
            store=lambda _: None,
            policy=CachePolicy.READ_WRITE,
        )
        assert (await complete(request("known"))).text == "known"
        assert (await complete(request("new"))).error == error
