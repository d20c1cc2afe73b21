"""From a configuration with an embedding scorer to its rows, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from streaming_eval.adapters import worker_runtime
from streaming_eval.adapters.schemas import EVALUATION_VERSIONS
from streaming_eval.adapters.worker_runtime import RuntimePlan
from streaming_eval.local.embeddings_wire import HASHED_WORDS, hashed_words
from streaming_eval.local.endpoint_process import RecordedEndpoint
from streaming_eval.pipeline.endpoint_plans import endpoint_plan
from streaming_eval.pipeline.evaluation_versions import record_versions
from streaming_eval.pipeline.plan import evaluation_plan, monitor_plan
from streaming_eval.settings import Settings
from tests.pipeline.fleet import settings
from tests.pipeline.worker_process import Values, Worker, sample

SAMPLES = 400


def configured(base_url: str, **embedding: object) -> Settings:
    asked = {"endpoint": "vectors", "model": HASHED_WORDS, **embedding}
    return settings(
        endpoints={"vectors": {"base_url": base_url, "api": "openai_embeddings"}},
        candidates=[],
        comparisons=[],
        scorers=[{"kind": "embedding_similarity", "name": "near", "embedding": asked}],
    )


@pytest.fixture(scope="module")
def endpoint() -> Iterator[RecordedEndpoint]:
    with RecordedEndpoint() as endpoint:
        yield endpoint


@pytest.fixture
def process(
    tmp_path: Path, endpoint: RecordedEndpoint, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Worker]:
    runtimes: dict[RuntimePlan, worker_runtime.WorkerRuntime] = {}
    monkeypatch.setattr(worker_runtime, "_runtimes", runtimes)
    worker, fleet = Worker(tmp_path, endpoint.base_url), configured(endpoint.base_url)
    plans = tuple(endpoint_plan(name, e, 2) for name, e in fleet.endpoints.items())
    worker.plan = replace(
        worker.plan,
        evaluation=evaluation_plan(fleet),
        runtime=replace(worker.plan.runtime, endpoints=plans),
    )
    yield worker
    for runtime in runtimes.values():  # a real worker takes them to its grave
        runtime.close()


def test_a_batch_of_samples_costs_few_round_trips_and_again_none(
    process: Worker, endpoint: RecordedEndpoint
) -> None:
    before = endpoint.stats()["calls"]
    values: Values = [
        sample(f"s{n}", response=f"fox number {n} ran", target=[f"the fox {n} ran", "a red fox"])
        for n in range(SAMPLES)
    ]
    rows = process.run(values)["scores"]
    assert endpoint.stats()["calls"] - before <= 8, "for 801 texts"
    first = next(row for row in rows if row["sample_id"] == "s0")
    cosines = [
        float(hashed_words("fox number 0 ran", 256) @ hashed_words(target, 256))
        for target in ("the fox 0 ran", "a red fox")
    ]
    assert first["value"] == pytest.approx(max(cosines), abs=1e-6)
    assert {(row["scorer"], row["status"]) for row in rows} == {("near", "ok")}
    asked = endpoint.stats()["calls"]
    assert len(process.run(values)["scores"]) == SAMPLES
    assert endpoint.stats()["calls"] == asked


def test_limits_of_requests_reach_the_workers_as_they_are_set() -> None:
    set_to = {"inputs_per_request": 32, "chars_per_request": 900, "gather": "25ms"}
    fleet = settings(endpoints={"models": {"base_url": "http://127.0.0.1:9/v1", **set_to}})
    plan = endpoint_plan("models", fleet.endpoints["models"], 2)
    limits = (plan.inputs_per_request, plan.chars_per_request, plan.gather_s)
    assert limits == (32, 900, 0.025)


def test_an_endpoint_that_fails_gives_missing_data(
    process: Worker, endpoint: RecordedEndpoint
) -> None:
    (scorer,) = process.plan.evaluation.scorers
    assert scorer.judge is not None
    call = replace(scorer.judge.call, model="no-such-model")
    broken = replace(scorer, judge=replace(scorer.judge, call=call))
    process.plan = replace(
        process.plan, evaluation=replace(process.plan.evaluation, scorers=(broken,))
    )
    (row,) = process.run([sample("a")])["scores"]
    assert (row["value"], row["status"], row["error"]) == (None, "failed", "embedding_http_404")


def test_the_statistics_know_range_and_direction() -> None:
    monitor = monitor_plan(configured("http://127.0.0.1:9/v1"))
    scale = monitor.scales["near"]
    assert (scale.low, scale.high, scale.higher_is_better, scale.levels) == (0.0, 1.0, True, 65)


def test_the_embedding_model_makes_the_version_which_is_recorded_in_full(process: Worker) -> None:
    base_url = "http://127.0.0.1:9/v1"
    changes: list[dict[str, object]] = [
        {},
        {"model": "other"},
        {"revision": "2"},
        {"parameters": {"dimensions": 64}},
    ]
    scorers = [evaluation_plan(configured(base_url, **c)).scorers[0] for c in changes]
    assert len({scorer.evaluation_version for scorer in scorers}) == 4
    record_versions(process.tables, tuple(scorers))
    recorded = process.tables.read("evaluation_versions", EVALUATION_VERSIONS.names)
    definitions = recorded["definition"].to_pylist()
    assert sum('"dimensions":64' in definition for definition in definitions) == 1
    assert all('"kind":"embedding_similarity"' in definition for definition in definitions)
