"""The judge of the demo: no model but a script, and each of its verdicts says so.

It reads the prompt of any judge of this package and answers with the JSON verdict asked for:

- the best grade when a target occurs in the response, as `contains` sees it;
- the worst when none does;
- the middle of the scale, rounded down, when the script cannot tell: no target is known, the
  response has no words, or it says that it does not know.
"""

from __future__ import annotations

import re

import orjson

from streaming_eval.scoring.contains import contains
from streaming_eval.scoring.judge import JudgeTask, read_task
from streaming_eval.scoring.normalise import normalise

SCRIPTED_JUDGE = "scripted-judge"
JUDGE_FINGERPRINT = "scripted-judge-1"

_HEDGE = re.compile(
    r"\b(i|we) (do not|don't|cannot|can't|am not|am unable to|apologize)\b"
    r"|\b(it is|it's) (not|un)\s?(clear|known|possible)\b|\bsorry\b",
    re.IGNORECASE,
)


def grade(prompt: str) -> str:
    """The verdict on the response in a judge's prompt, as JSON text.

    Args:
        prompt: the user message made by `streaming_eval.scoring.judge`.

    Raises:
        ValueError: the prompt is not of that make.
    """
    task = read_task(prompt)
    score, why = _verdict(task)
    return orjson.dumps({"score": score, "explanation": f"scripted judge: {why}"}).decode()


def _verdict(task: JudgeTask) -> tuple[int, str]:
    middle = (task.low + task.high) // 2
    found = contains(task.response, task.targets)
    if found is None:
        return middle, "no target is known, so the script cannot tell"
    if found:
        return task.high, "a target occurs in the response"
    if not normalise(task.response):
        return middle, "the response has no words"
    if _HEDGE.search(task.response):
        return middle, "no target occurs, but the response hedges"
    return task.low, "no target occurs in the response"
