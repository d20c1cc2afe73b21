"""What a judge's reply means."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming_eval.records import Score, ScoreStatus
from streaming_eval.scoring.verdict import VerdictProblem, parse_verdict
from tests.scoring.injections import INJECTIONS

GOOD = '{"score": 2, "explanation": "Half right."}'


@pytest.mark.parametrize(
    "reply",
    [
        GOOD,
        f"\n  {GOOD}\n",
        f"```json\n{GOOD}\n```",
        f"```\n{GOOD}\n```\n",
        f"```json {GOOD} ```",
        json.dumps(json.loads(GOOD), indent=2),
        '{"explanation": "Half right.", "score": 2}',
    ],
)
def test_an_exact_verdict_is_a_score(reply: str) -> None:
    assert parse_verdict(reply, 1, 3) == Score(2.0, explanation="Half right.")


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("x" * 70_000, "too_long"),
        ("2", "not_an_object"),
        ("On a scale of 1 to 3 I would say 2.", "not_json"),
        ("I prefer B", "not_json"),
        ("Score: 2", "not_json"),
        (f"Here is my verdict: {GOOD}", "not_json"),
        (f"{GOOD}\nI hope this helps.", "not_json"),
        (f"{GOOD}\n{GOOD}", "not_json"),
        (f"```json\n{GOOD}\n```\n```json\n{GOOD}\n```", "not_json"),
        (f"```yaml\n{GOOD}\n```", "not_json"),
        (f"```json\n{GOOD}", "not_json"),
        ('{"score": 2, "score": 3, "explanation": ""}', "not_json"),
        ('{"score": NaN, "explanation": ""}', "not_json"),
        ('{"score": 2, "explanation": "a\nb"}', "not_json"),
        ("{'score': 2, 'explanation': ''}", "not_json"),
        (f'{{"score": {"9" * 5_000}, "explanation": ""}}', "not_json"),
        ("[" * 20_000, "not_json"),
        ('{"a":' * 10_000, "not_json"),
        (f"[{GOOD}]", "not_an_object"),
        ('"2"', "not_an_object"),
        ("null", "not_an_object"),
        ("{}", "wrong_fields"),
        ('{"score": 2}', "wrong_fields"),
        ('{"explanation": "2"}', "wrong_fields"),
        ('{"Score": 2, "explanation": ""}', "wrong_fields"),
        (json.dumps({"verdict": json.loads(GOOD)}), "wrong_fields"),
        ('{"score": 2, "explanation": "", "confidence": 1}', "wrong_fields"),
        ('{"score": "2", "explanation": ""}', "score_not_an_integer"),
        ('{"score": 2.0, "explanation": ""}', "score_not_an_integer"),
        ('{"score": 2.5, "explanation": ""}', "score_not_an_integer"),
        ('{"score": true, "explanation": ""}', "score_not_an_integer"),
        ('{"score": null, "explanation": ""}', "score_not_an_integer"),
        ('{"score": [2], "explanation": ""}', "score_not_an_integer"),
        ('{"score": {"value": 2}, "explanation": ""}', "score_not_an_integer"),
        ('{"score": 1e400, "explanation": ""}', "score_not_an_integer"),
        ('{"score": 0, "explanation": ""}', "score_out_of_range"),
        ('{"score": 4, "explanation": ""}', "score_out_of_range"),
        ('{"score": -2, "explanation": ""}', "score_out_of_range"),
        ('{"score": 2, "explanation": null}', "explanation_not_text"),
        ('{"score": 2, "explanation": ["a"]}', "explanation_not_text"),
        ('{"score": 2, "explanation": "\\ud800"}', "explanation_not_text"),
    ],
)
def test_anything_else_is_unparsable_with_its_reason(reply: str, problem: str) -> None:
    expected = Score(None, ScoreStatus.UNPARSABLE, f"verdict_{problem}")
    assert parse_verdict(reply, 1, 3) == expected


def test_every_problem_is_a_bounded_label() -> None:
    assert all(problem.isidentifier() and problem.islower() for problem in VerdictProblem)


def test_a_judge_that_grades_low_and_quotes_the_attack_is_still_read_as_low() -> None:
    assert len(set(INJECTIONS)) == 200
    for payload in INJECTIONS:
        verdict = json.dumps({"score": 1, "explanation": f"It tried: {payload}"})
        for reply in (verdict, f"```json\n{verdict}\n```"):
            assert parse_verdict(reply, 1, 3) == Score(1.0, explanation=f"It tried: {payload}")


def test_a_judge_that_repeats_the_attack_beside_its_verdict_is_unparsable() -> None:
    verdict = '{"score": 1, "explanation": "wrong"}'
    for payload in INJECTIONS:
        for reply in (
            f"The response says: {payload}\n{verdict}",
            f"{verdict}\n{payload}",
            f"{payload}\n{verdict}\n{payload}",
            f'{{"score": 1, "explanation": "{payload}"}} {payload}',
        ):
            assert parse_verdict(reply, 1, 3).status is ScoreStatus.UNPARSABLE, reply


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet='{}[]":,.123 \\n`-eNascorexplanti', max_size=60) | st.text(max_size=60))
def test_no_reply_raises_and_no_score_leaves_the_scale(reply: str) -> None:
    score = parse_verdict(reply, 1, 3)
    if score.value is None:
        assert score.error in set(VerdictProblem)
    else:
        assert math.isfinite(score.value)
        assert 1 <= score.value <= 3


@given(st.integers(-3, 70), st.text(max_size=50))
def test_every_grade_on_the_scale_is_read_with_its_explanation(grade: int, text: str) -> None:
    score = parse_verdict(json.dumps({"score": grade, "explanation": text}), -3, 70)
    assert score == Score(float(grade), explanation=text)
