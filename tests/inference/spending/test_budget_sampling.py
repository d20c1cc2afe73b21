"""Which samples are asked about, and what their scores weigh."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.inference.complete import Complete
from streaming_eval.inference.evaluate import (
    BoundScorer,
    EvaluationPlan,
    Judge,
    ModelCall,
    SampleScore,
    evaluate,
)
from streaming_eval.inference.spending.sampling import Draw, draw, unit
from streaming_eval.records import Message, Request, Response, Sample
from streaming_eval.scoring import define

RATES = st.floats(0, 1)
IDS = [f"sample-{n}" for n in range(20_000)]


def call(name: str) -> ModelCall:
    return ModelCall(name, "api", "http://127.0.0.1/v1", "openai_chat", f"org/{name}")


JUDGE = Judge(call("judge"), "Is it helpful?", 1, 3)
PLAN = EvaluationPlan(
    candidates=(call("dear"), call("own")),
    scorers=(
        BoundScorer(define("exact_match", "exact"), "v1"),
        BoundScorer(define("judge", "helpful", low=1, high=3), "v2", JUDGE),
    ),
    pairs={"dear": ("own", "production")},
)
COSTLY = frozenset({"org/dear", "org/judge"})


def sample(number: int, model: str = "assistant") -> Sample:
    messages = (Message("user", f"question {number}"),)
    return Sample(f"sample-{number}", 0, model, messages, response="yes", targets=("yes",))


async def reply(asked: Request) -> Response:
    return Response('{"score": 3, "reason": ""}' if asked.model == "org/judge" else "yes")


def scores(one: Sample, drawn: Draw, complete: Complete = reply) -> list[SampleScore]:
    return asyncio.run(evaluate(*drawn.prepared(one), {"api": complete}))


@given(st.text(), RATES, RATES)
def test_the_samples_of_a_lower_rate_are_among_those_of_a_higher_one(
    sample_id: str, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    asked = replace(sample(0), id=sample_id)
    if draw(PLAN, COSTLY, low).prepared(asked)[1] is PLAN:
        assert draw(PLAN, COSTLY, high).prepared(asked)[1] is PLAN


@given(st.text())
def test_rate_1_asks_about_everything_and_rate_0_about_nothing(sample_id: str) -> None:
    asked = replace(sample(0), id=sample_id)
    assert draw(PLAN, COSTLY, 1.0).prepared(asked)[1] is PLAN
    assert draw(PLAN, COSTLY, 0.0).prepared(asked)[1] is not PLAN


def test_the_numbers_of_samples_stay_what_they_are() -> None:
    """Literals: another Python, machine or release must draw the same samples again."""
    numbers = [round(unit(name), 12) for name in ("a", "sample-1", "é")]
    assert numbers == [0.392128391796, 0.406214102449, 0.373662995774]


@pytest.mark.parametrize("rate", [0.01, 0.3, 0.9])
def test_the_share_of_samples_drawn_is_the_rate(rate: float) -> None:
    drawn = sum(unit(name) < rate for name in IDS)
    assert abs(drawn - rate * len(IDS)) < 4 * sqrt(rate * (1 - rate) * len(IDS))


@pytest.mark.parametrize("rates", [(0.2,), (0.05, 0.5, 1.0), (0.3, 0.0, 0.8)])
def test_weighted_sums_over_the_drawn_are_unbiased(rates: tuple[float, ...]) -> None:
    """Batches at different rates, a score that depends on the batch; a rate of 0 tells nothing."""
    estimate = total = variance = 0.0
    for n, name in enumerate(IDS):
        rate, score = rates[n % len(rates)], n % len(rates) + (n % 7) / 7
        if rate > 0:
            total += score
            estimate += score / rate if unit(name) < rate else 0.0
            variance += score**2 * (1 - rate) / rate
    assert abs(estimate - total) <= 4 * sqrt(variance)


def test_a_drawn_sample_gets_every_score() -> None:
    rows = scores(sample(1), draw(PLAN, COSTLY, 1.0))
    assert {(row.model, row.scorer) for row in rows} == {
        (model, scorer) for model in ("assistant", "dear", "own") for scorer in ("exact", "helpful")
    }


def test_a_sample_that_is_left_out_gets_every_score_that_costs_nothing() -> None:
    asked: list[str] = []

    async def note(request: Request) -> Response:
        asked.append(request.model)
        return await reply(request)

    rows = scores(sample(1), draw(PLAN, COSTLY, 0.0), note)
    assert {(row.model, row.scorer) for row in rows} == {("assistant", "exact"), ("own", "exact")}
    assert asked == ["org/own"]


def test_only_scores_that_were_drawn_for_weigh_more() -> None:
    drawn = draw(PLAN, COSTLY, 0.25)
    everything = scores(sample(1), draw(PLAN, COSTLY, 1.0))
    weights = {(row.model, row.scorer): 1 / drawn.probability(row) for row in everything}
    assert weights == {
        ("assistant", "exact"): 1,
        ("own", "exact"): 1,
        ("dear", "exact"): 4,
        ("assistant", "helpful"): 4,
        ("own", "helpful"): 4,
        ("dear", "helpful"): 4,
    }


@given(st.integers(0, 10_000), st.floats(0.01, 1))
def test_a_replay_at_the_same_rate_agrees_and_pairs_stay_whole(number: int, rate: float) -> None:
    once, again = (scores(sample(number), draw(PLAN, COSTLY, rate)) for _ in range(2))
    assert once == again
    for row in once:
        if row.model == "dear" and row.scorer == "exact":
            assert row.paired_values.keys() == {"own", "assistant"}


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_production_under_a_candidates_name_never_enters_that_candidates_series(
    rate: float,
) -> None:
    rows = scores(sample(1, model="dear"), draw(PLAN, COSTLY, rate))
    free = [row for row in rows if row.scorer == "exact" and row.model == "__other__"]
    assert len(free) == 1
    assert draw(PLAN, COSTLY, 0.5).probability(free[0]) == 1


def test_where_nothing_is_limited_every_sample_is_treated_alike() -> None:
    nothing = draw(PLAN, frozenset(), 0.0)
    assert len(scores(sample(1), nothing)) == 6
    assert {nothing.probability(row) for row in scores(sample(1), nothing)} == {1.0}
