from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest

from streaming_eval.inference.cache.cache_key import cache_key
from streaming_eval.inference.complete import Complete
from streaming_eval.inference.evaluate import (
    BoundScorer,
    EvaluationPlan,
    Judge,
    ModelCall,
    SampleScore,
    evaluate,
)
from streaming_eval.inference.spending.price import Price, Prices
from streaming_eval.records import Message, Request, Response, Sample, Score, ScoreStatus, Usage
from streaming_eval.scoring import define
from streaming_eval.scoring.cost import Priced
from tests.inference.calls.scripted import settle

URL = "http://127.0.0.1:9/v1"
SMALL, LARGE = (
    ModelCall(name, "models", URL, "openai_chat", f"org/{name}") for name in ("small", "large")
)
GRADER = ModelCall("judge", "judges", URL, "openai_chat", "org/judge")
CONTAINS = BoundScorer(define("contains", "contains"), "v1")
ASKED = BoundScorer(define("prompt_chars", "asked"), "v4")
LATENCY = BoundScorer(define("latency_ms", "latency_ms", cap_ms=1_000), "v2")
JUDGED = BoundScorer(
    define("judge", "helpful", low=1, high=3), "v3", Judge(GRADER, "Is it right?", 1, 3)
)
SAMPLE = Sample(
    id="s1",
    event_time_ms=0,
    model="assistant",
    messages=(Message("user", "Capital of France?"),),
    response="It is Paris.",
    targets=("Paris",),
    latency_ms=250.0,
)
VERDICT = Response('{"score": 3, "explanation": "Right."}')
DOWN = Response(None, error="http_500")
PARIS, ROME = Response("Paris", latency_ms=10.0), Response("Rome", latency_ms=20.0)


def plan(
    *scorers: BoundScorer,
    candidates: tuple[ModelCall, ...] = (SMALL, LARGE),
    pairs: Mapping[str, tuple[str, ...]] | None = None,
) -> EvaluationPlan:
    return EvaluationPlan(candidates, scorers or (CONTAINS,), pairs or {})


class Endpoints:
    """Answers by model; counts what it is asked, and holds a model back until it is released."""

    def __init__(self, **answers: Response) -> None:
        self._answers = {"small": PARIS, "large": ROME, "judge": VERDICT} | answers
        self.asked: list[Request] = []
        self.held: dict[str, asyncio.Event] = {}

    @property
    def by_name(self) -> Mapping[str, Complete]:
        return {"models": self._answer, "judges": self._answer}

    def count(self) -> Counter[str]:
        return Counter(request.model for request in self.asked)

    async def _answer(self, request: Request) -> Response:
        self.asked.append(request)
        name = request.model.removeprefix("org/")
        if name in self.held:
            await self.held[name].wait()
        return self._answers[name]


async def scored(
    evaluation: EvaluationPlan, sample: Sample = SAMPLE, **answers: Response
) -> dict[tuple[str, str], SampleScore]:
    """(model, scorer) to its score."""
    rows = await evaluate(sample, evaluation, Endpoints(**answers).by_name)
    by_key = {(row.model, row.scorer): row for row in rows}
    assert len(by_key) == len(rows)
    return by_key


async def test_production_and_each_candidate_are_scored_by_each_scorer() -> None:
    rows = await scored(plan(CONTAINS, LATENCY, JUDGED))
    values = {key: row.score.value for key, row in rows.items()}
    assert values == {
        ("assistant", "contains"): 1.0,
        ("assistant", "latency_ms"): 250.0,
        ("assistant", "helpful"): 3.0,
        ("small", "contains"): 1.0,
        ("small", "latency_ms"): 10.0,
        ("small", "helpful"): 3.0,
        ("large", "contains"): 0.0,
        ("large", "latency_ms"): 20.0,
        ("large", "helpful"): 3.0,
    }
    assert {r.evaluation_version for r in rows.values()} == {"v1", "v2", "v3"}
    assert {r.score.status for r in rows.values()} == {ScoreStatus.OK}


async def test_the_production_response_costs_no_call() -> None:
    endpoints = Endpoints()
    await evaluate(SAMPLE, plan(CONTAINS), endpoints.by_name)
    assert endpoints.count() == {"org/small": 1, "org/large": 1}


async def test_a_sample_without_a_response_is_for_the_candidates_only() -> None:
    rows = await scored(plan(CONTAINS, JUDGED), replace(SAMPLE, response=None))
    assert {model for model, _ in rows} == {"small", "large"}


async def test_without_candidates_production_is_scored_alone() -> None:
    for scorers in ((CONTAINS,), (JUDGED,)):
        rows = await scored(plan(*scorers, candidates=()))
        assert {model for model, _ in rows} == {"assistant"}
    nobody = plan(candidates=())
    assert await scored(nobody, replace(SAMPLE, response=None)) == {}


async def test_what_tells_of_the_prompt_is_scored_once_however_many_models_answer() -> None:
    rows = await scored(plan(ASKED, CONTAINS))
    assert [model for model, scorer in rows if scorer == "asked"] == ["assistant"]
    assert len(rows) == 1 + 3
    unanswered = await scored(plan(ASKED, CONTAINS), replace(SAMPLE, response=None))
    assert "asked" not in {scorer for _, scorer in unanswered}


async def test_an_empty_response_is_a_response() -> None:
    rows = await scored(plan(CONTAINS, candidates=()), replace(SAMPLE, response=""))
    assert rows["assistant", "contains"].score.value == 0.0


async def test_a_failed_candidate_has_failed_scores_and_never_zeros() -> None:
    rows = await scored(plan(CONTAINS, LATENCY, JUDGED), large=DOWN)
    scores = [row.score for (model, _), row in rows.items() if model == "large"]
    assert [(s.value, s.status, s.error) for s in scores] == (
        [(None, ScoreStatus.FAILED, "http_500")] * 3
    )
    others = [row.score.status for (model, _), row in rows.items() if model != "large"]
    assert set(others) == {ScoreStatus.OK}


async def test_nobody_judges_a_response_that_never_came() -> None:
    endpoints = Endpoints(large=DOWN)
    rows = await evaluate(SAMPLE, plan(JUDGED), endpoints.by_name)
    assert endpoints.count()["org/judge"] == 2
    (failed,) = [row for row in rows if row.model == "large"]
    assert failed.judge_cache_key is None
    assert failed.cache_key == cache_key(LARGE.request(SAMPLE.messages))


async def test_a_judge_that_fails_is_told_from_a_model_that_fails() -> None:
    rows = await scored(plan(JUDGED, CONTAINS), judge=DOWN)
    judged = rows["small", "helpful"]
    assert (judged.score.value, judged.score.status) == (None, ScoreStatus.FAILED)
    assert judged.score.error == "judge_http_500"
    assert judged.judge_cache_key is not None
    assert rows["small", "contains"].score.value == 1.0


async def test_an_unparsable_verdict_is_no_grade() -> None:
    rows = await scored(plan(JUDGED), judge=Response("I would say 2."))
    score = rows["assistant", "helpful"].score
    assert (score.value, score.status) == (None, ScoreStatus.UNPARSABLE)


async def test_a_sample_without_a_target_has_no_score_that_needs_one() -> None:
    rows = await scored(plan(CONTAINS, JUDGED), replace(SAMPLE, targets=()))
    assert {scorer for _, scorer in rows} == {"helpful"}


async def test_rows_name_the_requests_behind_them() -> None:
    rows = await scored(plan(CONTAINS, JUDGED))
    asked = LARGE.request(SAMPLE.messages)
    assert rows["large", "contains"].cache_key == cache_key(asked)
    assert rows["large", "contains"].judge_cache_key is None
    assert rows["assistant", "contains"].cache_key is None
    judge_keys = {rows[model, "helpful"].judge_cache_key for model in ("assistant", "small")}
    assert len(judge_keys) == 2, "another response is another question to the judge"


async def test_candidates_get_the_sample_s_messages_after_their_system_prompt() -> None:
    brief = replace(SMALL, system_prompt="Be brief.", parameters={"seed": 1}, revision="r2")
    endpoints = Endpoints()
    await evaluate(SAMPLE, plan(candidates=(brief,)), endpoints.by_name)
    (request,) = endpoints.asked
    assert request.messages == (Message("system", "Be brief."), *SAMPLE.messages)
    assert (request.endpoint, request.revision, request.parameters) == (URL, "r2", {"seed": 1})


PAIRS: Mapping[str, tuple[str, ...]] = {"small": ("large", "production"), "large": ("production",)}


async def test_a_compared_model_s_rows_carry_the_others_values_by_scorer() -> None:
    rows = await scored(plan(CONTAINS, LATENCY, pairs=PAIRS))
    assert rows["small", "contains"].paired_values == {"large": 0.0, "assistant": 1.0}
    assert rows["small", "latency_ms"].paired_values == {"large": 20.0, "assistant": 250.0}
    assert rows["large", "contains"].paired_values == {"assistant": 1.0}
    assert rows["assistant", "contains"].paired_values == {}


async def test_a_model_that_failed_or_was_not_asked_is_in_no_pair() -> None:
    rows = await scored(plan(CONTAINS, pairs=PAIRS), large=DOWN)
    assert rows["small", "contains"].paired_values == {"assistant": 1.0}
    rows = await scored(plan(CONTAINS, pairs=PAIRS), replace(SAMPLE, response=None))
    assert rows["small", "contains"].paired_values == {"large": 0.0}


@pytest.mark.parametrize("slow", ["small", "large"])
async def test_a_slow_model_does_not_hold_up_the_judging_of_the_others(slow: str) -> None:
    endpoints = Endpoints()
    endpoints.held[slow] = asyncio.Event()
    work = asyncio.ensure_future(evaluate(SAMPLE, plan(JUDGED), endpoints.by_name))
    await settle()
    assert endpoints.count() == {"org/small": 1, "org/large": 1, "org/judge": 2}
    assert not work.done()
    endpoints.held[slow].set()
    assert len(await work) == 3


async def test_all_models_are_asked_at_the_same_time() -> None:
    endpoints = Endpoints()
    endpoints.held = {name: asyncio.Event() for name in ("small", "large", "judge")}
    work = asyncio.ensure_future(evaluate(SAMPLE, plan(CONTAINS, JUDGED), endpoints.by_name))
    await settle()
    assert endpoints.count() == {"org/small": 1, "org/large": 1, "org/judge": 1}
    for held in endpoints.held.values():
        held.set()
    assert len(await work) == 6


async def test_production_under_a_candidate_s_name_is_not_taken_for_the_candidate() -> None:
    rows = await scored(plan(CONTAINS, pairs=PAIRS), replace(SAMPLE, model="large"))
    assert rows["large", "contains"].score.value == 0.0, "the candidate's"
    assert rows["__other__", "contains"].score.value == 1.0, "production's"
    assert rows["small", "contains"].paired_values == {"large": 0.0, "__other__": 1.0}


PRICES = Prices(
    models={
        "assistant": Price.per_million(1.0, 2.0),
        "org/small": Price.per_million(10.0, 20.0),
        "org/large": Price.per_million(100.0, 200.0),
    }
)
COST = BoundScorer(define("cost", "cost", priced=Priced(1.0, "USD", {})), "v9")
COUNTED = Usage(input_tokens=100, output_tokens=50)


async def costs(sample: Sample = SAMPLE, **answers: Response) -> dict[str, Score]:
    rows = await scored(replace(plan(COST), prices=PRICES), sample, **answers)
    return {model: row.score for (model, _), row in rows.items()}


async def test_a_cost_is_that_of_the_model_that_was_asked_paid_now_or_earlier() -> None:
    now = Response("Paris", usage=COUNTED, attempts=1)
    found = await costs(small=now, large=replace(now, cached=True))
    assert found == {"small": Score(0.002), "large": Score(0.02)}


async def test_production_has_a_cost_where_the_sample_says_its_tokens() -> None:
    now = Response("Paris", usage=COUNTED, attempts=1)
    found = await costs(replace(SAMPLE, usage=COUNTED), small=now, large=now)
    assert found["assistant"] == Score(0.0002)
    unpriced = await costs(replace(SAMPLE, usage=COUNTED, model="other"), small=now, large=now)
    assert "other" not in unpriced


async def test_an_answer_without_token_counts_or_none_at_all_has_no_cost() -> None:
    half = Response("Paris", usage=Usage(input_tokens=100), attempts=1)
    found = await costs(small=half, large=DOWN)
    assert found["small"] == Score(None, ScoreStatus.UNPARSABLE, "cost_unknown")
    assert found["large"] == Score(None, ScoreStatus.FAILED, "http_500")


async def test_costs_are_not_worked_out_where_no_scorer_asks() -> None:
    rows = await scored(plan(COST), small=Response("Paris", usage=COUNTED, attempts=1))
    assert rows["small", "cost"].score.error == "cost_unknown"
