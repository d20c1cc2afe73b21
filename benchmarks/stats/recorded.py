"""Real answers through the pure path: scorers, levels, panes, and the product's own monitor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from streaming_eval.alerting import Alarm, Pane, SeriesPlan, SeriesState, close, observe
from streaming_eval.local.questions import RECORDED_MODELS, Question
from streaming_eval.local.scripted_judge import grade
from streaming_eval.pipeline.bound_scorers import scale_of
from streaming_eval.pipeline.sample_hash import hash_ids
from streaming_eval.records import Message, Sample
from streaming_eval.scoring import ScorerDefinition, define
from streaming_eval.scoring.contains import contains
from streaming_eval.scoring.exact_match import exact_match
from streaming_eval.scoring.judge import judge_messages, parse_verdict
from streaming_eval.scoring.token_f1 import token_f1
from streaming_eval.stats.levels import Counts, Floats, Scale, mixed, to_levels, uniforms

PANE_MS = 60_000
PER_PANE = 50
JUDGE_LOW, JUDGE_HIGH = 1, 3
_END_MS = 10**15
_MEASURES = {"exact_match": exact_match, "contains": contains, "token_f1": token_f1}


@dataclass(frozen=True, slots=True)
class Scored:
    """What one scorer says of every recorded answer, by model; NaN where it says nothing."""

    definition: ScorerDefinition
    values: Mapping[str, Floats]

    @property
    def scale(self) -> Scale:
        return scale_of(self.definition)

    def mean(self, model: str) -> float:
        return float(np.nanmean(self.values[model]))


def scored(questions: tuple[Question, ...]) -> tuple[Scored, ...]:
    """Every scorer of the demo on every answer."""
    of_text = [
        Scored(define(name, name), {m: _values(name, questions, m) for m in RECORDED_MODELS})
        for name in _MEASURES
    ]
    judge = define("judge", "judge", low=JUDGE_LOW, high=JUDGE_HIGH)
    graded = {m: _grades(questions, m) for m in RECORDED_MODELS}
    return (*of_text, Scored(judge, graded))


def _values(name: str, questions: tuple[Question, ...], model: str) -> Floats:
    measure = _MEASURES[name]
    found = [measure(q.answers[model], q.targets) for q in questions]
    return np.array([np.nan if value is None else value for value in found])


def _grades(questions: tuple[Question, ...], model: str) -> Floats:
    """By the demo's scripted judge, asked as a model would be."""
    grades = []
    for number, question in enumerate(questions):
        prompt = (Message("user", question.prompt),)
        sample = Sample(str(number), 0, model, prompt, targets=question.targets)
        asked = judge_messages("-", sample, question.answers[model], JUDGE_LOW, JUDGE_HIGH)
        verdict = parse_verdict(grade(asked[-1].content), JUDGE_LOW, JUDGE_HIGH)
        grades.append(np.nan if verdict.value is None else verdict.value)
    return np.array(grades)


def levels_of(values: Floats, scale: Scale, salt: int) -> Counts:
    """The level of each score that is there, in order; rounding depends on its place and `salt`."""
    known = values[~np.isnan(values)]
    ids = hash_ids([str(number) for number in range(len(known))])
    return to_levels(known, scale, uniforms(mixed(ids, salt)))


def alarm_of(levels: Counts, plan: SeriesPlan) -> Alarm | None:
    """The first alarm that these scores raise, `PER_PANE` to a pane."""
    cells = plan.grid.cells
    panes = [
        Pane(
            first // PER_PANE * PANE_MS,
            tuple(np.bincount(levels[first : first + PER_PANE], minlength=cells).tolist()),
        )
        for first in range(0, len(levels), PER_PANE)
    ]
    return first_alarm(panes, plan, _END_MS)


def first_alarm(panes: Sequence[Pane], plan: SeriesPlan, end_ms: int) -> Alarm | None:
    """The first alarm that a series opens, even if it ends later; panes close by `end_ms`."""
    seen = observe(SeriesState(), panes, 0, plan)
    steps = (*seen.transitions, *close(seen, end_ms, plan).transitions)
    return next((step.alarm for step in steps if step.resolution is None), None)
