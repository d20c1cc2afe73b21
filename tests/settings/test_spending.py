"""Prices and budgets in a configuration, and what contradicts them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from streaming_eval.configuration.schema import allowed
from streaming_eval.settings import InconsistentError, Problem
from streaming_eval.settings.spending import (
    BudgetSettings,
    BudgetsSettings,
    PriceSettings,
    PricesSettings,
    spending_contradictions,
)

PRICED = {"models": [{"model": "gpt", "input": 0.15, "output": 0.6}]}
CANDIDATES = [{"name": "c", "model": "gpt"}]
JUDGES = [{"kind": "judge", "judge": {"model": "grader"}}, {"kind": "contains"}]


def read(section: type[BaseModel], values: object) -> Any:  # noqa: ANN401 - any section
    """As the configuration reads it: strict JSON."""
    return section.model_validate_json(json.dumps(values), strict=True)


def found(**raw: object) -> list[Problem]:
    document = {"candidates": CANDIDATES, "scorers": JUDGES, "prices": PRICED, **raw}
    return list(spending_contradictions(document))


def caps(*values: object) -> dict[str, object]:
    return {"caps": list(values)}


def test_by_default_there_is_no_limit_and_no_price() -> None:
    assert read(BudgetsSettings, {}) == BudgetsSettings(at_cap="stop", caps=())
    assert read(PricesSettings, {}) == PricesSettings(currency="USD", models=())


@pytest.mark.parametrize("price", [0, 3, 0.15, 0.000001, 1e9])
def test_a_price_is_a_number_with_few_decimals(price: float) -> None:
    assert read(PriceSettings, {"model": "m", "input": price, "output": 1}).input == price


@pytest.mark.parametrize("price", [-0.1, 0.0000001, "1", True, 2e9, None])
@pytest.mark.parametrize("key", ["input", "output"])
def test_what_is_no_price_is_refused_by_its_key(key: str, price: object) -> None:
    with pytest.raises(ValidationError) as caught:
        read(PriceSettings, {"model": "m", "input": 1, "output": 1, key: price})
    assert [error["loc"] for error in caught.value.errors()] == [(key,)]
    schema = PriceSettings.model_json_schema()["properties"][key]
    assert allowed(schema) == "an amount from 0 to 1e9, with at most 6 decimals"


@pytest.mark.parametrize("currency", ["usd", "US", "DOLLAR", "€"])
def test_a_currency_is_a_code_of_three_letters(currency: str) -> None:
    with pytest.raises(ValidationError):
        read(PricesSettings, {"currency": currency})


@pytest.mark.parametrize("cap", [{"money": 2.5, "per": "day"}, {"tokens": 10**12, "per": "hour"}])
def test_a_budget_is_in_money_or_in_tokens(cap: dict[str, object]) -> None:
    assert read(BudgetSettings, cap).model_dump(exclude_none=True) == cap


@pytest.mark.parametrize(
    ("cap", "path"),
    [({"per": "day"}, ()), ({"per": "day", "money": 1, "tokens": 1}, ("tokens",))],
)
def test_a_budget_has_one_unit(cap: dict[str, object], path: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        read(BudgetSettings, cap)
    (error,) = caught.value.errors()
    cause = error["ctx"]["error"]
    assert isinstance(cause, InconsistentError)
    assert [problem.path for problem in cause.problems] == [path]


@pytest.mark.parametrize(
    "cap",
    [
        {"money": 0, "per": "day"},
        {"tokens": 0, "per": "day"},
        {"tokens": 1.5, "per": "day"},
        {"money": 1},
        {"money": 1, "per": "week"},
        {"money": 1, "per": "day", "model": ""},
        {"money": 1, "per": "day", "cap": 1},
    ],
)
def test_what_is_no_budget_is_refused(cap: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        read(BudgetSettings, cap)


def test_a_budget_in_money_needs_a_price_for_every_model_it_covers() -> None:
    (problem,) = found(budgets=caps({"money": 1, "per": "day"}))
    assert problem == Problem(
        ("budgets", "caps", 0, "money"),
        "covers 'grader', which has no price",
        "a price under `prices.models` (0 for a model of your own), or a cap in tokens",
    )
    (problem,) = found(budgets=caps({"money": 1, "per": "day"}), prices={})
    assert problem.message == "covers 'gpt', 'grader', which have no price"


def test_a_budget_of_one_model_needs_only_its_price() -> None:
    assert found(budgets=caps({"money": 1, "per": "day", "model": "gpt"})) == []
    (problem,) = found(budgets=caps({"money": 1, "per": "day", "model": "grader"}))
    assert problem.path == ("budgets", "caps", 0, "money")


def test_a_budget_in_tokens_needs_no_price() -> None:
    assert found(budgets=caps({"tokens": 1, "per": "day"}), prices={}) == []


def test_a_budget_for_a_model_that_nobody_asks_is_a_mistake() -> None:
    (problem,) = found(budgets=caps({"tokens": 1, "per": "day", "model": "grade"}))
    assert problem.path == ("budgets", "caps", 0, "model")
    assert problem.message == "'grade' is not a model that is asked, did you mean grader?"
    assert problem.allowed == "gpt, grader"


def test_two_caps_of_one_kind_are_a_mistake() -> None:
    hour = {"tokens": 1, "per": "hour"}
    others = [{"tokens": 1, "per": "day"}, {"tokens": 1, "per": "hour", "model": "gpt"}]
    assert found(budgets=caps(hour, *others)) == []
    (problem,) = found(budgets=caps(hour, *others, {"tokens": 2, "per": "hour"}))
    assert problem.path == ("budgets", "caps", 3)


def test_a_model_has_one_price() -> None:
    (problem,) = found(prices={"models": [*PRICED["models"], *PRICED["models"]]})
    assert problem.path == ("prices", "models", 1, "model")


@pytest.mark.parametrize(
    ("policy", "problems"),
    [("off", 1), ("read_only", 1), ("read_write", 0), ("refresh", 0), ("replay", 0)],
)
def test_budgets_need_a_cache_that_keeps_answers(policy: str, problems: int) -> None:
    budgets = caps({"tokens": 1, "per": "day"})
    paths = [problem.path for problem in found(budgets=budgets, cache={"policy": policy})]
    assert paths == [("cache", "policy")] * problems
    assert found(cache={"policy": "off"}) == []


@pytest.mark.parametrize("wrong", [None, 1, "x", [], [1], {"caps": 1}, {"models": {"a": 1}}])
def test_other_mistakes_in_the_file_are_left_to_others(wrong: object) -> None:
    for key in ("candidates", "scorers", "prices", "budgets"):
        found(**{key: wrong, "cache": {"policy": "off"}})
    found(budgets=caps({"money": [], "per": {}, "model": 7}, None))


def test_a_scorer_of_costs_needs_the_price_of_every_candidate() -> None:
    cost = [*JUDGES, {"kind": "cost"}]
    assert found(scorers=cost) == []  # the judge's own price plays no part
    assert found(scorers=cost, candidates=[]) == []
    two = [*CANDIDATES, {"name": "d", "model": "other"}]
    (problem,) = found(scorers=cost, candidates=two)
    assert problem.path == ("candidates", 1, "model")
    assert "'other' has no price" in problem.message
    assert found(candidates=two) == []
