"""Several processes ask the same: who pays, who waits, and what becomes of them when one dies."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming_eval.errors import PermanentError, RetryableError
from streaming_eval.inference.cache.cache_key import cache_key
from streaming_eval.inference.cache.freshness import Freshness
from streaming_eval.inference.cache.with_cache import Found
from streaming_eval.inference.calls.batch_deadline import BatchLimits, batch_deadline
from streaming_eval.inference.complete import Complete
from streaming_eval.records import Request, Response
from tests.inference.calls.street import NOW_MS, Process, Street, asked_of
from tests.inference.fake_endpoint import STUCK_S, FakeEndpoint, Reply, steady
from tests.inference.fake_loop import now_s, on_fake_time
from tests.inference.requests import request

REFUSED = PermanentError("http_400", "no")
BUSY = RetryableError("http_503", "busy")
QUESTIONS = [request(f"question {n}") for n in range(40)]


def test_jobs_in_step_pay_once_for_each_answer_and_share_the_work() -> None:
    endpoint, street = FakeEndpoint(steady(1.0)), Street()

    async def both() -> list[Process]:
        jobs = [Process(street, endpoint.send) for _ in range(2)]
        answers = await asyncio.gather(*(asked_of(job, *QUESTIONS) for job in jobs))
        assert [r.text for r in answers[0]] == [r.text for r in answers[1]]
        assert [a.cached or b.cached for a, b in zip(*answers, strict=True)] == [True] * 40
        return jobs

    jobs = on_fake_time(both())
    assert set(endpoint.asked.values()) == {1}
    assert endpoint.most_under_way > 16, "both jobs had calls in flight"
    for job in jobs:
        assert 0 < job.found.count(Found.SHARED) < 40
        assert set(job.found) == {Found.MISS, Found.SHARED}
    assert street.claims == {}


def test_a_job_alone_claims_nothing_and_looks_for_nothing() -> None:
    endpoint, street = FakeEndpoint(steady(1.0)), Street(busy=False)

    async def alone() -> None:
        await asked_of(Process(street, endpoint.send), *QUESTIONS)

    on_fake_time(alone())
    assert (street.taken, street.looks) == (0, 0)


def test_what_was_answered_between_look_up_and_claim_is_not_paid_for() -> None:
    endpoint, street = FakeEndpoint(steady(1.0)), Street()

    async def one_after_the_other() -> list[Response]:
        second = Process(street, endpoint.send)  # its look-ups see nothing of what comes now
        await asked_of(Process(street, endpoint.send), QUESTIONS[0])
        return await asked_of(second, QUESTIONS[0])

    (response,) = on_fake_time(one_after_the_other())
    assert (response.text, response.cached) == ("to question 0", True)
    assert endpoint.asked.total() == 1


def test_who_waits_holds_no_place_and_reaches_neither_budget_nor_line() -> None:
    endpoint, street = FakeEndpoint(steady(5.0)), Street()
    inside: list[str] = []

    def watched(complete: Complete) -> Complete:
        async def entering(asked: Request) -> Response:
            inside.append(asked.messages[0].content)
            try:
                return await complete(asked)
            finally:
                inside.remove(asked.messages[0].content)

        return entering

    async def waiting() -> None:
        first = asked_of(Process(street, endpoint.send), QUESTIONS[0])
        await asyncio.sleep(1.0)
        second = Process(street, endpoint.send, places=1, wrapped=watched)
        both = asked_of(second, QUESTIONS[0], QUESTIONS[1])
        await asyncio.sleep(1.0)
        assert (inside, second.limit.in_flight) == (["question 1"], 1)
        await asyncio.gather(first, both)

    on_fake_time(waiting())
    assert set(endpoint.asked.values()) == {1}


@pytest.mark.parametrize("error", [REFUSED, BUSY])
def test_after_a_failure_the_others_ask_themselves(error: PermanentError | RetryableError) -> None:
    endpoint = FakeEndpoint(lambda n, asked: Reply(1.0, error if n == 0 else None))
    street = Street()

    async def both() -> list[list[Response]]:
        first = asked_of(Process(street, endpoint.send), QUESTIONS[0])
        await asyncio.sleep(0.5)
        return [await first, await asked_of(Process(street, endpoint.send), QUESTIONS[0])]

    (first,), (second,) = on_fake_time(both())
    assert second.text == "to question 0"
    assert first.error == ("http_400" if error is REFUSED else None)
    assert endpoint.asked.total() == 2
    assert endpoint.most_under_way == 1


def test_a_question_that_always_fails_costs_each_job_its_own_attempts_only() -> None:
    endpoint, street = FakeEndpoint(lambda n, asked: Reply(1.0, BUSY)), Street()

    async def all_three() -> list[list[Response]]:
        jobs = [Process(street, endpoint.send) for _ in range(3)]
        return await asyncio.gather(*(asked_of(job, QUESTIONS[0]) for job in jobs))

    errors = {response.error for (response,) in on_fake_time(all_three())}
    assert errors == {"http_503"}
    assert endpoint.asked.total() == 9
    assert endpoint.most_under_way == 1


@pytest.mark.parametrize("dies_at_s", [0.0, 0.001, 0.003, 0.5, 1.5, 2.001, 2.01, 3.0])
def test_when_the_one_who_pays_dies_another_takes_over_at_once(dies_at_s: float) -> None:
    """At 2.002 s the first has its answer; before that, one call in flight is lost."""
    endpoint, street = FakeEndpoint(steady(2.0)), Street()

    async def dying() -> float:
        first, second = (Process(street, endpoint.send) for _ in range(2))
        doomed = asked_of(first, QUESTIONS[0])
        rest = asked_of(second, QUESTIONS[0])
        await asyncio.sleep(dies_at_s)
        doomed.cancel()
        await asyncio.gather(doomed, return_exceptions=True)
        first.house.die()
        (response,) = await rest
        assert response.text == "to question 0"
        return now_s()

    ended_at = on_fake_time(dying()) - 1_000.0
    assert endpoint.asked.total() <= 2
    if dies_at_s > 2.002:
        assert endpoint.asked.total() == 1
    assert ended_at <= max(2.0, dies_at_s + 2.0) + 0.5


def test_a_process_that_hangs_holds_nobody_up_for_longer_than_the_patience_and_only_once() -> None:
    endpoint, street = FakeEndpoint(steady(1.0)), Street()
    hanging = Process(street, endpoint.send)
    for asked in QUESTIONS[:2]:
        hanging.house.take(cache_key(asked))

    async def blocked() -> tuple[float, float]:
        job = Process(street, endpoint.send, patience_s=30.0)
        responses = await asked_of(job, *QUESTIONS[:2])
        assert [r.text for r in responses] == ["to question 0", "to question 1"]
        first_s, began = now_s() - 1_000.0, now_s()
        street.kept.clear()  # so that it is asked again, while the holder still hangs
        await job.batch()(QUESTIONS[0])
        return first_s, now_s() - began

    first_s, later_s = on_fake_time(blocked())
    assert 30.0 <= first_s <= 31.5
    assert later_s <= 1.5


def test_the_wait_is_part_of_the_deadline_of_the_call() -> None:
    endpoint, street = FakeEndpoint(steady(STUCK_S)), Street()
    Process(street, endpoint.send).house.take(cache_key(QUESTIONS[0]))

    async def stuck() -> float:
        job = Process(street, endpoint.send, patience_s=30.0, deadline_s=40.0)
        (response,) = await asked_of(job, QUESTIONS[0])
        assert response.error == "deadline"
        return now_s()

    assert on_fake_time(stuck()) == pytest.approx(1_040.0, abs=0.05)
    assert endpoint.began_at == pytest.approx([1_030.0], abs=0.05)


def test_a_batch_leaves_behind_what_it_waits_for_like_a_straggler_of_its_own() -> None:
    endpoint, street = FakeEndpoint(steady(20.0)), Street()
    limits = BatchLimits(
        longest_s=300.0,
        straggler_after_s=5.0,
        straggler_share=0.5,
        check_s=0.1,
        grace_s=None,
    )

    async def left_behind() -> float:
        first = asked_of(Process(street, endpoint.send), QUESTIONS[0])
        await asyncio.sleep(1.0)
        quick = FakeEndpoint(steady(0.1))
        job = Process(street, quick.send)
        async with batch_deadline(job.flights, limits, asyncio.sleep):
            responses = await asked_of(job, *QUESTIONS[:4])
        assert [r.error for r in responses] == ["batch_deadline", None, None, None]
        assert quick.asked["question 0"] == 0
        ended_at = now_s()
        await first
        return ended_at - 1_001.0

    assert 5.0 <= on_fake_time(left_behind()) <= 5.5


def test_an_answer_from_before_the_refresh_does_not_count_and_a_newer_one_does() -> None:
    endpoint, street = FakeEndpoint(steady(1.0)), Street()
    old = Response("old", created_ms=NOW_MS - 10)
    street.kept[cache_key(QUESTIONS[0])] = [old]

    async def refreshing() -> list[list[Response]]:
        refresh = Freshness(since_ms=NOW_MS - 5)
        jobs = [Process(street, endpoint.send, freshness=refresh) for _ in range(2)]
        return await asyncio.gather(*(asked_of(job, QUESTIONS[0]) for job in jobs))

    answers = on_fake_time(refreshing())
    assert [response.text for (response,) in answers] == ["to question 0"] * 2
    assert endpoint.asked.total() == 1


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_however_they_meet_no_answer_is_paid_for_twice(data: st.DataObject) -> None:
    jobs = data.draw(st.integers(2, 4))
    times = st.floats(0.0, 3.0)
    starts = data.draw(st.lists(times, min_size=jobs, max_size=jobs))
    orders = [data.draw(st.permutations(range(6))) for _ in range(jobs)]
    took_s = data.draw(st.lists(st.floats(0.001, 2.0), min_size=6, max_size=6))
    fails = data.draw(st.sets(st.integers(0, 8), max_size=3))
    places = data.draw(st.integers(1, 6))

    def reply(number: int, asked: Request) -> Reply:
        question = int(asked.messages[0].content.split()[-1])
        return Reply(took_s[question], BUSY if number in fails else None)

    endpoint, street = FakeEndpoint(reply), Street()

    async def job(number: int) -> list[Response]:
        await asyncio.sleep(starts[number])
        process = Process(street, endpoint.send, places=places)
        return await asked_of(process, *(QUESTIONS[n] for n in orders[number]))

    async def everybody() -> None:
        for responses in await asyncio.gather(*map(job, range(jobs))):
            assert all(response.text is not None for response in responses)

    on_fake_time(everybody())
    assert set(endpoint.answered.values()) == {1}
    assert endpoint.in_vain == 0
    assert street.claims == {}
