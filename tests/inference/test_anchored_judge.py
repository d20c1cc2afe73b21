"""A judge grades what people have graded, beside the traffic."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest

from streaming_eval.inference.anchored_judge import AnchorDraw, AnchoredJudge
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
from streaming_eval.inference.spending.sampling import draw, unit
from streaming_eval.pipeline.spending_plan import calls_per_sample
from streaming_eval.records import JUDGE, Anchor, Message, Request, Response, Sample
from streaming_eval.scoring import ScorerDefinition, define
from streaming_eval.scoring.judge import read_task

GRADER = Judge(
    ModelCall("helpful", "judges", "http://127.0.0.1:9/v1", "openai_chat", "org/judge"),
    "Is it right?",
    1,
    5,
)
ANCHORS = tuple(
    Anchor(Sample(f"a{grade}", 0, "", (Message("user", "Why?"),)), f"Because {grade}.", grade)
    for grade in (1, 2, 3, 4)
)
AGREES = ScorerDefinition("helpful:anchors", "judge_anchors", 0.0, 1.0, True, 2, False)
HELD = AnchoredJudge(AGREES, "v9", GRADER, ANCHORS, share=0.3, tolerance=0)
JUDGED = BoundScorer(define("judge", "helpful", low=1, high=5), "v3", GRADER)


def sample(n: int) -> Sample:
    asked = (Message("user", f"Question {n}?"),)
    return Sample(f"s{n}", 0, "assistant", asked, response="An answer.", segments={"tier": "pro"})


class Judges:
    """Grades anchors as people do, shifted, and everything else 5; keeps what it was asked."""

    def __init__(self, shift: int = 0, answer: Response | None = None) -> None:
        self.asked: list[Request] = []
        self._shift, self._answer = shift, answer

    @property
    def by_name(self) -> Mapping[str, Complete]:
        return {"judges": self._grade}

    @property
    def of_anchors(self) -> list[Request]:
        return [request for request in self.asked if request.sample_index]

    async def _grade(self, request: Request) -> Response:
        self.asked.append(request)
        if request.sample_index and self._answer is not None:
            return self._answer
        words = read_task(request.messages[-1].content).response
        grade = int(words[-2]) + self._shift if words.startswith("Because") else 5
        return Response(json.dumps({"score": grade, "explanation": "Right."}))


def scored(n: int, judges: Judges, held: AnchoredJudge = HELD) -> list[SampleScore]:
    """The scores of anchors beside the first `n` samples."""
    plan = EvaluationPlan((), (JUDGED,), {}, (held,))

    async def everything() -> list[SampleScore]:
        rows = [await evaluate(sample(i), plan, judges.by_name) for i in range(n)]
        return [row for some in rows for row in some]

    return [row for row in asyncio.run(everything()) if row.anchor_id is not None]


def test_the_share_of_samples_takes_an_anchor_along_and_anchors_are_drawn_evenly() -> None:
    rows = scored(2_000, Judges())
    # Both limits are four standard deviations off.
    assert abs(len(rows) - 600) < 4 * (2_000 * 0.3 * 0.7) ** 0.5
    drawn = Counter(row.anchor_id for row in rows)
    quarter = len(rows) / 4
    assert all(abs(drawn[a.sample.id] - quarter) < 4 * (quarter * 0.75) ** 0.5 for a in ANCHORS)
    assert len(scored(50, Judges(), replace(HELD, share=1.0))) == 50


def test_a_replay_draws_the_same_anchors_by_the_same_requests_and_no_two_are_one_call() -> None:
    first, second = Judges(), Judges()
    assert scored(300, first) == scored(300, second)
    keys = [cache_key(request) for request in first.of_anchors]
    assert keys == [cache_key(request) for request in second.of_anchors]
    assert len(set(keys)) == len(keys) > 80, "only 4 anchors, but a cache knows none of the calls"
    assert {cache_key(request) for request in first.asked} > set(keys)


def test_which_samples_take_an_anchor_along_says_nothing_of_how_money_is_spared() -> None:
    names = [f"s{n}" for n in range(4_000)]
    along = [unit(name) for name in names if AnchorDraw.of(name).unit < 0.3]
    assert abs(sum(along) / len(along) - 0.5) < 4 * (1 / 12 / len(along)) ** 0.5


@pytest.mark.parametrize(
    ("shift", "tolerance", "value"), [(0, 0, 1.0), (1, 0, 0.0), (-1, 0, 0.0), (1, 1, 1.0)]
)
def test_the_score_is_whether_judge_and_people_agree(
    shift: int, tolerance: int, value: float
) -> None:
    anchors = ANCHORS[1:]
    held = replace(HELD, anchors=anchors, tolerance=tolerance)
    rows = scored(40, Judges(shift), held)
    assert {row.score.value for row in rows} == {value}
    assert {(row.model, row.scorer, row.evaluation_version) for row in rows} == {
        (JUDGE, "helpful:anchors", "v9")
    }
    for row in rows:
        grade = next(a.grade for a in anchors if a.sample.id == row.anchor_id)
        assert row.score.explanation == f"judge {grade + shift}, people {grade}: Right."


def test_no_verdict_is_missing_data_and_no_disagreement() -> None:
    down = scored(40, Judges(answer=Response(None, error="http_500")))
    assert {(r.score.value, r.score.status, r.score.error) for r in down} == {
        (None, "failed", "judge_http_500")
    }
    vague = scored(40, Judges(answer=Response("It is fine.")))
    assert {(r.score.value, r.score.status) for r in vague} == {(None, "unparsable")}


def test_a_sample_of_which_there_is_nothing_to_judge_takes_no_anchor_along() -> None:
    judges = Judges()
    plan = EvaluationPlan((), (JUDGED,), {}, (replace(HELD, share=1.0),))
    silent = replace(sample(1), response=None)
    assert asyncio.run(evaluate(silent, plan, judges.by_name)) == []
    assert judges.asked == []


def test_a_budget_on_the_judge_spares_its_anchors_too_and_counts_them() -> None:
    plan = EvaluationPlan((), (JUDGED,), {}, (HELD,))
    assert calls_per_sample(plan) == {"org/judge": 2}
    limited = draw(plan, {"org/judge"}, 0.5)
    assert (limited.spared.anchored, limited.drawn.anchored) == ((), (HELD,))
    assert draw(plan, {"org/other"}, 0.5).spared.anchored == (HELD,)
