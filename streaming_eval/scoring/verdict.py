"""What a judge's reply means: a grade, or the reason why there is none."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from typing import NoReturn

from streaming_eval.records import Score, ScoreStatus

_MOST_CHARS = 65_536
_FENCE = re.compile(r"```(?:json)?\s(?P<body>.*)```", re.DOTALL)
_FIELDS = {"score", "explanation"}


class VerdictProblem(StrEnum):
    """Why a judge's reply is no verdict; the score's `error`."""

    EMPTY = "verdict_empty"
    TOO_LONG = "verdict_too_long"
    NOT_JSON = "verdict_not_json"
    NOT_AN_OBJECT = "verdict_not_an_object"
    WRONG_FIELDS = "verdict_wrong_fields"
    SCORE_NOT_AN_INTEGER = "verdict_score_not_an_integer"
    SCORE_OUT_OF_RANGE = "verdict_score_out_of_range"
    EXPLANATION_NOT_TEXT = "verdict_explanation_not_text"


class _Unparsable(Exception):  # noqa: N818 - a signal within this file, not an error for people
    def __init__(self, problem: VerdictProblem) -> None:
        self.problem = problem


def parse_verdict(text: str, low: int, high: int) -> Score:
    """The score in a judge's reply; `unparsable` with its reason unless the reply is exact.

    >>> parse_verdict('{"score": 2, "explanation": "Half right."}', 1, 3).value
    2.0
    >>> parse_verdict("On a scale of 1 to 3 I would say 2.", 1, 3).error
    'verdict_not_json'
    """
    try:
        grade, explanation = _verdict(text, low, high)
    except _Unparsable as signal:
        return Score(None, ScoreStatus.UNPARSABLE, signal.problem.value)
    return Score(float(grade), explanation=explanation)


def _verdict(text: str, low: int, high: int) -> tuple[int, str]:
    verdict = _json(_body(text))
    if not isinstance(verdict, dict):
        raise _Unparsable(VerdictProblem.NOT_AN_OBJECT)
    if verdict.keys() != _FIELDS:
        raise _Unparsable(VerdictProblem.WRONG_FIELDS)
    grade, explanation = verdict["score"], verdict["explanation"]
    if type(grade) is not int:
        raise _Unparsable(VerdictProblem.SCORE_NOT_AN_INTEGER)
    if not low <= grade <= high:
        raise _Unparsable(VerdictProblem.SCORE_OUT_OF_RANGE)
    if not isinstance(explanation, str) or not _encodable(explanation):
        raise _Unparsable(VerdictProblem.EXPLANATION_NOT_TEXT)
    return grade, explanation


def _body(text: str) -> str:
    if len(text) > _MOST_CHARS:
        raise _Unparsable(VerdictProblem.TOO_LONG)
    stripped = text.strip()
    if not stripped:
        raise _Unparsable(VerdictProblem.EMPTY)
    fence = _FENCE.fullmatch(stripped)
    return fence["body"] if fence else stripped


def _json(body: str) -> object:
    try:
        return json.loads(body, object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise _Unparsable(VerdictProblem.NOT_JSON) from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a key occurs twice")
    return fields


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _encodable(text: str) -> bool:
    """Whether the text can be stored: an escaped lone surrogate cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
