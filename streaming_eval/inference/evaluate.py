"""From a sample to its scores: ask the candidates, run the scorers, ask the judges.

Everything here is plain async Python over `Complete`; a failed call becomes a score without a
value, and one slow call never holds up another model's scores.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from streaming_eval.errors import PermanentError
from streaming_eval.inference.cache.cache_key import cache_key
from streaming_eval.inference.complete import Complete
from streaming_eval.records import (
    OTHER,
    Message,
    Request,
    Response,
    Sample,
    Score,
    ScoreStatus,
)
from streaming_eval.scoring import SCORERS, ScorerDefinition
from streaming_eval.scoring.judge import judge_messages, parse_verdict

PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class ModelCall:
    """How to ask one model.

    Attributes:
        endpoint: the endpoint's name, which selects the `Complete` that serves it.
        base_url: the endpoint's identity, part of the cache key.
    """

    name: str
    endpoint: str
    base_url: str
    api: str
    model: str
    revision: str = ""
    system_prompt: str | None = None
    parameters: Mapping[str, object] = field(default_factory=dict)

    def request(self, messages: Sequence[Message]) -> Request:
        """The request that puts these messages, after the system prompt, to the model."""
        system = (Message("system", self.system_prompt),) if self.system_prompt else ()
        return Request(
            endpoint=self.base_url,
            api=self.api,
            model=self.model,
            messages=(*system, *messages),
            parameters=self.parameters,
            revision=self.revision,
        )


@dataclass(frozen=True, slots=True)
class Judge:
    """The judge behind a scorer: whom to ask, by which rubric, on which scale."""

    call: ModelCall
    rubric: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class BoundScorer:
    """A scorer as configured, with the version that names it and its judge if it has one."""

    definition: ScorerDefinition
    evaluation_version: str
    judge: Judge | None = None


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """What is done with every sample.

    Attributes:
        pairs: candidate to the models it is compared with; `production` stands for the model that
            answered the sample.
    """

    candidates: tuple[ModelCall, ...]
    scorers: tuple[BoundScorer, ...]
    pairs: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class SampleScore:
    """One scorer's score of one model's response to one sample."""

    model: str
    scorer: str
    evaluation_version: str
    score: Score
    cache_key: str | None
    judge_cache_key: str | None
    paired_values: Mapping[str, float] = field(default_factory=dict)


async def evaluate(
    sample: Sample, plan: EvaluationPlan, endpoints: Mapping[str, Complete]
) -> list[SampleScore]:
    """All scores of one sample, paired where the plan compares models.

    Args:
        sample: the production query, with or without a response.
        plan: candidates, scorers and pairs.
        endpoints: endpoint name to the call that serves it.
    """
    jobs = [_candidate_scores(sample, call, plan.scorers, endpoints) for call in plan.candidates]
    production = _production_name(sample, plan)
    rows: list[SampleScore] = []
    if sample.response is not None:
        produced = Response(sample.response, usage=sample.usage, latency_ms=sample.latency_ms)
        own = _scores(sample, production, produced, None, plan.scorers, endpoints)
        if any(scorer.judge for scorer in plan.scorers):
            jobs.append(own)
        else:
            rows += await own  # asks nobody, so it never waits
    for more in await _together(jobs):
        rows += more
    return _with_pairs(rows, production, plan.pairs)


def _production_name(sample: Sample, plan: EvaluationPlan) -> str:
    """Who answered; `__other__` under a candidate's name, whose series it must not enter."""
    taken = any(call.name == sample.model for call in plan.candidates)
    return OTHER if taken else sample.model


async def _together(
    jobs: Sequence[Coroutine[Any, Any, list[SampleScore]]],
) -> list[list[SampleScore]]:
    """The results of all jobs; the last one runs in the caller's task, which spares a task."""
    tasks = [asyncio.ensure_future(job) for job in jobs[:-1]]
    last = [await job for job in jobs[-1:]]
    return [*(await asyncio.gather(*tasks)), *last] if tasks else last


async def _candidate_scores(
    sample: Sample,
    call: ModelCall,
    scorers: Sequence[BoundScorer],
    endpoints: Mapping[str, Complete],
) -> list[SampleScore]:
    request = call.request(sample.messages)
    response = await endpoints[call.endpoint](request)
    return await _scores(sample, call.name, response, _key(request), scorers, endpoints)


async def _scores(
    sample: Sample,
    model: str,
    response: Response,
    key: str | None,
    scorers: Sequence[BoundScorer],
    endpoints: Mapping[str, Complete],
) -> list[SampleScore]:
    rows: list[SampleScore] = []
    for scorer in scorers:
        judge_key: str | None = None
        score: Score | None
        if scorer.judge is None:
            score = SCORERS[scorer.definition.kind](sample, response, scorer.definition)
        else:
            score, judge_key = await _judged(sample, response, scorer.judge, endpoints)
        if score is not None:
            name = scorer.definition.name
            rows.append(SampleScore(model, name, scorer.evaluation_version, score, key, judge_key))
    return rows


async def _judged(
    sample: Sample, response: Response, judge: Judge, endpoints: Mapping[str, Complete]
) -> tuple[Score, str | None]:
    if response.text is None:
        return Score(None, ScoreStatus.FAILED, response.error), None
    messages = judge_messages(judge.rubric, sample, response.text, judge.low, judge.high)
    request = judge.call.request(messages)
    verdict = await endpoints[judge.call.endpoint](request)
    key = _key(request)
    if verdict.text is None:
        return Score(None, ScoreStatus.FAILED, f"judge_{verdict.error}"), key
    return parse_verdict(verdict.text, judge.low, judge.high), key


def _key(request: Request) -> str | None:
    """The cache key; None for a request that can have none, whose call has failed anyway."""
    try:
        return cache_key(request)
    except PermanentError:
        return None


def _with_pairs(
    rows: list[SampleScore], production: str, pairs: Mapping[str, tuple[str, ...]]
) -> list[SampleScore]:
    if not pairs:
        return rows
    values = {
        (row.model, row.scorer): row.score.value for row in rows if row.score.value is not None
    }
    return [_paired(row, values, production, pairs.get(row.model, ())) for row in rows]


def _paired(
    row: SampleScore,
    values: Mapping[tuple[str, str], float],
    production: str,
    against: Sequence[str],
) -> SampleScore:
    others = (production if name == PRODUCTION else name for name in against)
    paired = {other: values[other, row.scorer] for other in others if (other, row.scorer) in values}
    return replace(row, paired_values=paired) if paired else row
