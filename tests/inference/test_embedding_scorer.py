"""A scorer that asks for vectors: what is asked, and what becomes of failures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from streaming_eval.inference.asking_scorers import Embedder
from streaming_eval.inference.cache.cache_key import cache_key
from streaming_eval.inference.complete import Complete
from streaming_eval.inference.evaluate import (
    BoundScorer,
    EvaluationPlan,
    ModelCall,
    SampleScore,
    evaluate,
)
from streaming_eval.inference.passing_failures import worth_another_batch
from streaming_eval.records import Message, Request, Response, Sample, ScoreStatus
from streaming_eval.scoring import define

URL = "http://127.0.0.1:9/v1"
CALL = ModelCall("near", "vectors", URL, "openai_embeddings", "e", "r1", None, {"dimensions": 2})
NEAR = BoundScorer(define("embedding_similarity", "near"), "v1", Embedder(CALL))
CANDIDATE = ModelCall("small", "models", URL, "openai_chat", "org/small")
SAMPLE = Sample(
    id="s1",
    event_time_ms=0,
    model="assistant",
    messages=(Message("user", "Capital of France?"),),
    response="Paris",
    targets=("It is Paris.", "Lutetia"),
)
VECTORS = {"Paris": "[1,0]", "It is Paris.": "[4,3]", "Lutetia": "[0,1]", "Rome": "[0,2]"}
DOWN = Response(None, error="http_503")


class Endpoints:
    """Vectors by text, and one candidate's answer."""

    def __init__(self, answer: Response | None = None, **vectors: Response) -> None:
        self._answer, self._vectors = answer, vectors
        self.asked: list[Request] = []

    @property
    def by_name(self) -> Mapping[str, Complete]:
        return {"models": self._model, "vectors": self._vector}

    async def _model(self, request: Request) -> Response:
        return self._answer or Response("Rome")

    async def _vector(self, request: Request) -> Response:
        self.asked.append(request)
        (message,) = request.messages
        return self._vectors.get(message.content) or Response(VECTORS[message.content])


async def scored(endpoints: Endpoints, sample: Sample = SAMPLE) -> dict[str, SampleScore]:
    plan = EvaluationPlan((CANDIDATE,), (NEAR,), {"small": ("production",)})
    return {row.model: row for row in await evaluate(sample, plan, endpoints.by_name)}


async def test_production_and_candidates_are_compared_with_the_nearest_target() -> None:
    rows = await scored(Endpoints())
    assert {model: row.score.value for model, row in rows.items()} == {
        "assistant": pytest.approx(0.8),
        "small": pytest.approx(1.0),
    }
    assert rows["small"].paired_values == {"assistant": pytest.approx(0.8)}
    assert rows["small"].evaluation_version == "v1"


async def test_each_text_is_a_request_of_its_own_as_the_configuration_says() -> None:
    endpoints = Endpoints()
    rows = await scored(endpoints)
    asked = {request.messages for request in endpoints.asked}
    assert asked == {(Message("user", text),) for text in VECTORS}
    one = endpoints.asked[0]
    assert (one.api, one.model, one.revision) == ("openai_embeddings", "e", "r1")
    assert one.parameters == {"dimensions": 2}
    own = CALL.request((Message("user", "Paris"),))
    assert rows["assistant"].judge_cache_key == cache_key(own)


@pytest.mark.parametrize("text", ["Paris", "Lutetia"])
async def test_a_vector_that_never_came_is_a_failure_and_never_0(text: str) -> None:
    row = (await scored(Endpoints(**{text: DOWN})))["assistant"]
    assert (row.score.value, row.score.status) == (None, ScoreStatus.FAILED)
    assert row.score.error == "embedding_http_503"
    assert worth_another_batch(row.score.error)


async def test_a_failed_answer_is_told_from_a_failed_vector_and_not_asked_about() -> None:
    endpoints = Endpoints(answer=Response(None, error="http_500"))
    row = (await scored(endpoints))["small"]
    assert (row.score.status, row.score.error) == (ScoreStatus.FAILED, "http_500")
    assert row.judge_cache_key is None
    assert {r.messages[0].content for r in endpoints.asked} == {"Paris", *SAMPLE.targets}


async def test_a_vector_that_cannot_be_compared_is_no_score() -> None:
    row = (await scored(Endpoints(Paris=Response("[1,2,3]"))))["assistant"]
    assert (row.score.value, row.score.status) == (None, ScoreStatus.UNPARSABLE)
    assert row.score.error == "vectors_differ_in_size"


@pytest.mark.parametrize("blank", ["", " \n"])
async def test_an_answer_that_says_nothing_is_near_to_nothing(blank: str) -> None:
    endpoints = Endpoints(answer=Response(blank))
    row = (await scored(endpoints, replace(SAMPLE, response=None)))["small"]
    assert (row.score.value, row.score.status) == (0.0, ScoreStatus.OK)
    assert endpoints.asked == []


@pytest.mark.parametrize("targets", [(), ("", " ")])
async def test_without_a_target_there_is_no_score_and_no_call(targets: tuple[str, ...]) -> None:
    endpoints = Endpoints()
    assert await scored(endpoints, replace(SAMPLE, targets=targets)) == {}
    assert endpoints.asked == []
