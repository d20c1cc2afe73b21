"""Scorers as the pipeline calls them: applicability, failures, ranges, definitions, versions."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

import pytest

from streaming_eval.records import Message, Request, Response, Sample, Score, ScoreStatus
from streaming_eval.scoring import (
    SCORERS,
    ScorerDefinition,
    define,
    definition_json,
    evaluation_version,
)
from streaming_eval.scoring.cost import Priced
from tests.odd_but_good import odd_but_good

SAMPLE = Sample("s", 0, "assistant", (Message("user", "Capital?"),), targets=("Paris",))
ANSWER = Response("It is Paris.", latency_ms=250.0, cost=0.5)
FAILED = Response(None, error="http_500", latency_ms=9.0)
PRICED = Priced(cap=2.0, currency="EUR", per_million={"gpt": (1.0, 4.0)})
DEFINITIONS = [
    define(kind, f"my-{kind}", cap_ms=1_000.0, limit_ms=300.0, priced=PRICED) for kind in SCORERS
]
BINARY = ("exact_match", "contains", "latency_within", "refusal")
JUDGE = define("judge", "helpful", low=1, high=5)
ASKED = Request("http://judge/v1", "openai_chat", "judge-1", (), {"temperature": 0}, "r1")

every = pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda d: d.kind)


def score(
    definition: ScorerDefinition, sample: Sample = SAMPLE, response: Response = ANSWER
) -> Score | None:
    return SCORERS[definition.kind](sample, response, definition)


@every
def test_a_score_lies_in_the_declared_range(definition: ScorerDefinition) -> None:
    found = score(definition)
    assert found is not None
    assert found.value is not None
    assert definition.low <= found.value <= definition.high
    assert found.status is ScoreStatus.OK


@every
def test_a_failed_response_has_a_failed_score_with_its_error(definition: ScorerDefinition) -> None:
    if definition.kind == "prompt_chars":
        return  # a prompt is there whatever comes of it
    assert score(definition, response=FAILED) == Score(None, ScoreStatus.FAILED, "http_500")


@every
def test_without_a_target_only_scorers_that_need_none_speak(definition: ScorerDefinition) -> None:
    found = score(definition, sample=replace(SAMPLE, targets=()))
    assert (found is None) == definition.needs_target


@every
def test_no_text_is_too_odd_to_be_scored(definition: ScorerDefinition) -> None:
    for name, value in odd_but_good().items():
        fields = json.loads(value or b"")
        sample = replace(SAMPLE, targets=(str(fields.get("prompt")), "b"))
        assert score(definition, sample, replace(ANSWER, text=str(fields.get("prompt")))), name


@every
def test_a_definition_carries_the_name_the_operator_gave(definition: ScorerDefinition) -> None:
    assert definition.name == f"my-{definition.kind}"
    fine = 129 if definition.logarithmic else 65
    assert definition.levels == (2 if definition.kind in BINARY else fine)


@pytest.mark.parametrize(
    ("latency", "value"), [(0.0, 0.0), (250, 250.0), (1_000.0, 1_000.0), (1e300, 1_000.0)]
)
def test_latency_is_cut_at_the_cap(latency: float, value: float) -> None:
    definition = define("latency_ms", "latency", cap_ms=1_000)
    assert score(definition, response=replace(ANSWER, latency_ms=latency)) == Score(value)


@pytest.mark.parametrize("latency", [-1.0, math.nan, math.inf, -math.inf])
def test_a_latency_that_is_no_duration_is_missing_data(latency: float) -> None:
    found = score(
        define("latency_ms", "latency", cap_ms=1_000), response=replace(ANSWER, latency_ms=latency)
    )
    assert found == Score(None, ScoreStatus.UNPARSABLE, "latency_not_a_duration")


def test_a_latency_nobody_measured_has_no_score() -> None:
    assert score(define("latency_ms", "l", cap_ms=1), response=Response("hello")) is None


def test_every_scorer_has_a_direction_or_says_that_it_has_none() -> None:
    directions = {d.kind: d.higher_is_better for d in (*DEFINITIONS, JUDGE)}
    lower, neither = (
        {kind for kind, up in directions.items() if up is way} for way in (False, None)
    )
    assert lower == {"cost", "latency_ms", "refusal"}
    assert neither == {"prompt_chars", "response_chars"}


@pytest.mark.parametrize(("low", "high", "levels"), [(1, 3, 3), (0, 1, 2), (-2, 62, 65)])
def test_a_judge_is_counted_at_every_grade(low: int, high: int, levels: int) -> None:
    definition = define("judge", "j", low=low, high=high)
    assert (definition.low, definition.high, definition.levels) == (low, high, levels)
    assert not definition.needs_target


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: define("judge", "j"),
        lambda: define("judge", "j", low=1),
        lambda: define("latency_ms", "l"),
        lambda: define("cost", "c"),
        lambda: define("bleu", "b"),
    ],
)
def test_what_cannot_be_defined_is_refused(wrong: Callable[[], ScorerDefinition]) -> None:
    with pytest.raises(ValueError, match="no scorer of kind"):
        wrong()


def test_an_evaluation_version_is_stable_and_short() -> None:
    versions = [evaluation_version(d) for d in DEFINITIONS]
    assert versions == [evaluation_version(replace(d)) for d in DEFINITIONS]
    assert all(re.fullmatch("[0-9a-f]{12}", version) for version in versions)
    assert len(set(versions)) == len(versions)


def test_everything_that_changes_the_meaning_of_a_score_changes_its_version() -> None:
    latency = define("latency_ms", "latency", cap_ms=1_000)
    versions = [
        evaluation_version(latency),
        evaluation_version(define("latency_ms", "latency", cap_ms=2_000)),
        evaluation_version(replace(latency, code_revision=2)),
        evaluation_version(JUDGE, "Is it helpful?", ASKED),
        evaluation_version(JUDGE, "Is it helpful? ", ASKED),
        evaluation_version(define("judge", "helpful", low=1, high=4), "Is it helpful?", ASKED),
        evaluation_version(replace(JUDGE, parameters={}), "Is it helpful?", ASKED),
    ]
    changes: list[dict[str, object]] = [
        {"model": "judge-2"},
        {"revision": "r2"},
        {"parameters": {"temperature": 1}},
        {"messages": (Message("system", "Be strict."),)},
    ]
    versions += [
        evaluation_version(JUDGE, "Is it helpful?", replace(ASKED, **change))  # type: ignore[arg-type]
        for change in changes
    ]
    assert len(set(versions)) == len(versions)


def test_the_order_and_kind_of_a_mapping_do_not_matter() -> None:
    one = replace(ASKED, parameters={"temperature": 0, "seed": 1})
    other = replace(ASKED, parameters=MappingProxyType({"seed": 1, "temperature": 0}))
    assert evaluation_version(JUDGE, "r", one) == evaluation_version(JUDGE, "r", other)


def test_the_definition_is_readable_json_with_all_of_it() -> None:
    text = definition_json(JUDGE, "Ist es nützlich?", ASKED)
    whole = json.loads(text)
    assert "nützlich" in text
    assert whole["rubric"] == "Ist es nützlich?"
    assert (whole["request"]["model"], whole["scorer"]["high"]) == ("judge-1", 5)
    assert "grade" in whole["scorer"]["parameters"]["system_template"]


def test_a_definition_that_is_no_json_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        definition_json(replace(JUDGE, high=math.nan))
    with pytest.raises(TypeError, match="has no place"):
        definition_json(replace(JUDGE, parameters={"a": object()}))
