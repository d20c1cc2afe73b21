"""Scorers that ask a model: judges, and the similarity of embeddings.

A call that failed is missing data: the score is `failed`, never a number, and its error begins with
who was asked, `judge_` or `embedding_`, so that it is told apart from a failure of the response.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from streaming_eval.inference.complete import Complete
from streaming_eval.inference.model_call import ModelCall, key_or_none
from streaming_eval.inference.passing_failures import EMBEDDING_PREFIX, JUDGE_PREFIX
from streaming_eval.records import Message, Response, Sample, Score, ScoreStatus
from streaming_eval.scoring.embedding_similarity import comparable, embedding_similarity
from streaming_eval.scoring.judge import judge_messages, parse_verdict

Endpoints = Mapping[str, Complete]


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking: the score, and the cache key of what was asked of the response."""

    score: Score
    cache_key: str | None = None


@dataclass(frozen=True, slots=True)
class Judge:
    """The judge behind a scorer: whom to ask, by which rubric, on which scale."""

    call: ModelCall
    rubric: str
    low: int
    high: int

    async def ask(self, sample: Sample, response: Response, endpoints: Endpoints) -> Asked:
        """The judge's grade of the response."""
        if response.text is None:
            return Asked(Score(None, ScoreStatus.FAILED, response.error))
        return await self.grade(sample, response.text, endpoints)

    async def grade(
        self, sample: Sample, text: str, endpoints: Endpoints, sample_index: int = 0
    ) -> Asked:
        """The judge's grade of a text; a `sample_index` of its own makes it a call of its own."""
        messages = judge_messages(self.rubric, sample, text, self.low, self.high)
        request = replace(self.call.request(messages), sample_index=sample_index)
        verdict = await endpoints[self.call.endpoint](request)
        key = key_or_none(request)
        if verdict.text is None:
            return Asked(Score(None, ScoreStatus.FAILED, JUDGE_PREFIX + str(verdict.error)), key)
        return Asked(parse_verdict(verdict.text, self.low, self.high), key)


@dataclass(frozen=True, slots=True)
class Embedder:
    """The embedding model behind a scorer."""

    call: ModelCall

    async def ask(self, sample: Sample, response: Response, endpoints: Endpoints) -> Asked | None:
        """How near the response comes to the nearest target; None where there is no target.

        A response that says nothing is near to none: 0, as models take no empty text. One vector
        that is missing makes the score `failed`, as the nearest target may be the one without.
        """
        targets = comparable(sample.targets)
        if not targets:
            return None
        if response.text is None:
            return Asked(Score(None, ScoreStatus.FAILED, response.error))
        if not response.text.strip():
            return Asked(Score(0.0))
        own, *others = await self._vectors((response.text, *targets), endpoints)
        key = key_or_none(self.call.request((Message("user", response.text),)))
        failure = next((v.error for v in (own, *others) if v.text is None), None)
        if failure is not None:
            return Asked(Score(None, ScoreStatus.FAILED, EMBEDDING_PREFIX + failure), key)
        return Asked(embedding_similarity(own.text or "", [v.text or "" for v in others]), key)

    async def _vectors(self, texts: Sequence[str], endpoints: Endpoints) -> list[Response]:
        """The vectors of all texts, asked for together so that they can travel together."""
        complete = endpoints[self.call.endpoint]
        requests = [self.call.request((Message("user", text),)) for text in texts]
        return await asyncio.gather(*(complete(request) for request in requests))
