"""From a sample to its scores: ask the candidates, run the scorers, some of which ask models too.

Everything here is plain async Python over `Complete`; a failed call becomes a score without a
value, and one slow call never holds up another model's scores.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from streaming_eval.inference.anchored_judge import AnchoredJudge
from streaming_eval.inference.asking_for_cells import CellFinder
from streaming_eval.inference.asking_scorers import Asked, Embedder, Judge
from streaming_eval.inference.calls.eager import results, started
from streaming_eval.inference.complete import Complete
from streaming_eval.inference.model_call import ModelCall, key_or_none
from streaming_eval.inference.spending.price import PICO, Prices
from streaming_eval.records import JUDGE, OTHER, Response, Sample, Score
from streaming_eval.scoring import SCORERS, ScorerDefinition

__all__ = [
    "PRODUCTION",
    "BoundScorer",
    "CellFinder",
    "Embedder",
    "EvaluationPlan",
    "Judge",
    "ModelCall",
    "SampleScore",
    "evaluate",
]

PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class BoundScorer:
    """A scorer as configured, with the version that names it and whom it asks, if anybody.

    Attributes:
        judge: a judge, or the embedding model that stands in for one.
    """

    definition: ScorerDefinition
    evaluation_version: str
    judge: Judge | Embedder | CellFinder | None = None


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """What is done with every sample.

    Attributes:
        pairs: candidate to the models it is compared with; `production` stands for the model that
            answered the sample.
        anchored: judges that are held against people beside the samples.
        prices: what responses cost; None where no scorer asks.
    """

    candidates: tuple[ModelCall, ...]
    scorers: tuple[BoundScorer, ...]
    pairs: Mapping[str, tuple[str, ...]]
    anchored: tuple[AnchoredJudge, ...] = ()
    prices: Prices | None = None

    @property
    def of_responses(self) -> tuple[BoundScorer, ...]:
        """The scorers that a candidate's response is put to; the prompt is not the candidate's."""
        return tuple(s for s in self.scorers if not s.definition.of_prompt)


@dataclass(frozen=True, slots=True)
class SampleScore:
    """One scorer's score of one model's response to one sample, or of a judge on an anchor.

    Attributes:
        anchor_id: of the anchor; None for a score of the sample.
    """

    model: str
    scorer: str
    evaluation_version: str
    score: Score
    cache_key: str | None
    judge_cache_key: str | None
    paired_values: Mapping[str, float] = field(default_factory=dict)
    anchor_id: str | None = None


async def evaluate(
    sample: Sample, plan: EvaluationPlan, endpoints: Mapping[str, Complete]
) -> list[SampleScore]:
    """All scores of one sample, paired where the plan compares models, then those of anchors.

    Args:
        sample: the production query, with or without a response.
        plan: candidates, scorers and pairs.
        endpoints: endpoint name to the call that serves it.
    """
    jobs = [_candidate_scores(sample, call, plan, endpoints) for call in plan.candidates]
    production = _production_name(sample, plan)
    rows: list[SampleScore] = []
    if sample.response is not None:
        said = Response(sample.response, usage=sample.usage, latency_ms=sample.latency_ms)
        produced = _priced(said, sample.model, plan.prices)
        own = _scores(sample, production, produced, None, plan.scorers, endpoints)
        if any(scorer.judge for scorer in plan.scorers):
            jobs.append(own)
        else:
            rows += await own  # asks nobody, so it never waits
    jobs += _anchor_jobs(sample, plan, endpoints)
    for more in await _together(jobs):
        rows += more
    return _with_pairs(rows, production, plan)


def _anchor_jobs(
    sample: Sample, plan: EvaluationPlan, endpoints: Mapping[str, Complete]
) -> list[Coroutine[Any, Any, list[SampleScore]]]:
    """Anchors go along with samples of which there is something to judge."""
    if sample.response is None and not plan.candidates:
        return []
    chosen = [judge for judge in plan.anchored if judge.takes_along(sample)]
    return [_anchor_score(sample, judge, endpoints) for judge in chosen]


async def _anchor_score(
    sample: Sample, judge: AnchoredJudge, endpoints: Mapping[str, Complete]
) -> list[SampleScore]:
    agreement = await judge.ask(sample, endpoints)
    row = SampleScore(
        JUDGE,
        judge.definition.name,
        judge.evaluation_version,
        agreement.asked.score,
        None,
        agreement.asked.cache_key,
        anchor_id=agreement.anchor_id,
    )
    return [row]


def _production_name(sample: Sample, plan: EvaluationPlan) -> str:
    """Who answered; `__other__` under a candidate's name, whose series it must not enter."""
    taken = any(call.name == sample.model for call in plan.candidates)
    return OTHER if taken else sample.model


async def _together(
    jobs: Sequence[Coroutine[Any, Any, list[SampleScore]]],
) -> list[list[SampleScore]]:
    """The results of all jobs; the last one runs in the caller's task, which spares a task."""
    begun = [started(job) for job in jobs[:-1]]
    last = [await job for job in jobs[-1:]]
    return [*(await results(begun)), *last] if begun else last


async def _candidate_scores(
    sample: Sample, call: ModelCall, plan: EvaluationPlan, endpoints: Mapping[str, Complete]
) -> list[SampleScore]:
    request = call.request(sample.messages)
    response = _priced(await endpoints[call.endpoint](request), call.model, plan.prices)
    key = key_or_none(request)
    return await _scores(sample, call.name, response, key, plan.of_responses, endpoints)


def _priced(response: Response, model: str, prices: Prices | None) -> Response:
    """The response with what it cost when it was paid for, of the cache or not."""
    if prices is None:
        return response
    cost = prices.cost(model, response.usage)
    return response if cost is None else replace(response, cost=cost / PICO)


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
        asked = await _score(sample, response, scorer, endpoints)
        if asked is not None:
            name, version = scorer.definition.name, scorer.evaluation_version
            rows.append(SampleScore(model, name, version, asked.score, key, asked.cache_key))
    return rows


async def _score(
    sample: Sample, response: Response, scorer: BoundScorer, endpoints: Mapping[str, Complete]
) -> Asked | None:
    if scorer.judge is not None:
        return await scorer.judge.ask(sample, response, endpoints)
    score = SCORERS[scorer.definition.kind](sample, response, scorer.definition)
    return None if score is None else Asked(score)


def _with_pairs(
    rows: list[SampleScore], production: str, plan: EvaluationPlan
) -> list[SampleScore]:
    """The rows with the other models' values, but for categories, which have no difference."""
    if not plan.pairs:
        return rows
    named = {s.definition.name for s in plan.scorers if s.definition.categories}
    values = {
        (row.model, row.scorer): row.score.value
        for row in rows
        if row.score.value is not None and row.scorer not in named
    }
    return [_paired(row, values, production, plan.pairs.get(row.model, ())) for row in rows]


def _paired(
    row: SampleScore,
    values: Mapping[tuple[str, str], float],
    production: str,
    against: Sequence[str],
) -> SampleScore:
    others = (production if name == PRODUCTION else name for name in against)
    paired = {other: values[other, row.scorer] for other in others if (other, row.scorer) in values}
    return replace(row, paired_values=paired) if paired else row
