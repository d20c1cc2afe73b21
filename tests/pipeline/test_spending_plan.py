"""From the settings on prices and budgets to what the driver spends by."""

from __future__ import annotations

from dataclasses import replace

from streaming_eval.inference.evaluate import (
    BoundScorer,
    CellFinder,
    Embedder,
    EvaluationPlan,
    Judge,
    ModelCall,
)
from streaming_eval.inference.spending.budget import AtCap, Budget, Per, Unit
from streaming_eval.inference.spending.price import PICO, Price
from streaming_eval.pipeline.spending_plan import calls_per_sample, prices, treasury
from streaming_eval.scoring import define
from streaming_eval.scoring.embedding_cell import Cells, EmbeddedText
from streaming_eval.settings.spending import BudgetsSettings, PricesSettings

PRICES = PricesSettings.model_validate(
    {
        "currency": "EUR",
        "models": [
            {"model": "gpt", "input": 0.15, "cached_input": 0.075, "output": 0.6},
            {"model": "own", "input": 0, "output": 0},
        ],
    }
)


def call(model: str, name: str = "") -> ModelCall:
    return ModelCall(name or model, "api", "http://127.0.0.1/v1", "openai_chat", model)


def judge(name: str, model: str) -> BoundScorer:
    judged = Judge(call(model), "Is it helpful?", 1, 3)
    return BoundScorer(define("judge", name, low=1, high=3), "v", judged)


PLAN = EvaluationPlan(
    candidates=(call("own", "one"), call("own", "two"), call("gpt")),
    scorers=(BoundScorer(define("contains", "c"), "v"), judge("a", "gpt"), judge("b", "grader")),
    pairs={},
)


def test_prices_are_exact() -> None:
    table = prices(PRICES)
    assert table.currency == "EUR"
    assert table.models == {"gpt": Price(150_000, 600_000, 75_000), "own": Price(0, 0)}


def test_a_sample_is_put_to_every_candidate_and_each_answer_to_every_judge() -> None:
    assert calls_per_sample(PLAN) == {"own": 2, "gpt": 1 + 4, "grader": 4}


def test_an_embedding_model_is_asked_about_the_target_beside_the_answers() -> None:
    near = BoundScorer(define("embedding_similarity", "near"), "v", Embedder(call("e")))
    assert calls_per_sample(replace(PLAN, scorers=(near,)))["e"] == 3 + 1 + 1


def test_an_embedding_model_is_asked_once_about_a_prompt_whoever_answers_it() -> None:
    for text, calls in ((EmbeddedText.PROMPT, 1), (EmbeddedText.RESPONSE, 3 + 1)):
        definition = define("embedding_cell", "topics", cells=Cells(text))
        topics = BoundScorer(definition, "v", CellFinder(call("e"), text))
        assert calls_per_sample(replace(PLAN, scorers=(topics,)))["e"] == calls


def test_caps_become_budgets() -> None:
    budgets = BudgetsSettings.model_validate(
        {
            "at_cap": "sample",
            "caps": [
                {"money": 2.5, "per": "day", "model": "gpt"},
                {"tokens": 1_000, "per": "hour"},
            ],
        }
    )
    plan = treasury(budgets, prices(PRICES), PLAN, tasks=3)
    assert plan.budgets == (
        Budget(Unit.MONEY, 5 * PICO // 2, Per.DAY, "gpt"),
        Budget(Unit.TOKENS, 1_000, Per.HOUR),
    )
    assert (plan.at_cap, plan.tasks) == (AtCap.SAMPLE, 3)
    assert plan.limited == {"own", "gpt", "grader"}
