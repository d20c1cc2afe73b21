"""Anchors are graded beside the samples of a batch, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from streaming_eval.adapters import worker_runtime
from streaming_eval.adapters.worker_runtime import RuntimePlan
from streaming_eval.inference.cache.with_cache import CachePolicy
from streaming_eval.inference.evaluate import SampleScore
from streaming_eval.pipeline.clusters import ClusterBy
from streaming_eval.pipeline.plan import evaluation_plan
from streaming_eval.pipeline.score_rows import Evaluated
from streaming_eval.pipeline.unfinished import failures
from streaming_eval.records import JUDGE, KafkaRecord, Message, Sample, Score, ScoreStatus
from streaming_eval.scoring.judge import read_task
from tests.pipeline.anchored import LABEL, judged
from tests.pipeline.models_api import ModelsApi
from tests.pipeline.worker_process import Values, Worker, sample

N = 60


def grade(_: str, question: str) -> str | None:
    words = read_task(question).response
    score = int(words[-2]) if words.startswith("Because ") else 3
    return json.dumps({"score": score, "explanation": "So."})


@pytest.fixture
def api() -> Iterator[ModelsApi]:
    with ModelsApi(grade).serving() as api:
        yield api


@pytest.fixture
def process(tmp_path: Path, api: ModelsApi, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    runtimes: dict[RuntimePlan, worker_runtime.WorkerRuntime] = {}
    monkeypatch.setattr(worker_runtime, "_runtimes", runtimes)
    worker = Worker(tmp_path, api.base_url)
    evaluation = evaluation_plan(judged(tmp_path, base_url=api.base_url, anchors={"share": 0.5}))
    worker.plan = replace(worker.plan, evaluation=evaluation, clusters=ClusterBy.CONVERSATION)
    yield worker
    for runtime in runtimes.values():  # a real worker takes them to its grave
        runtime.close()


def batch() -> Values:
    """Samples of one question and one response, so that all of them are graded by one call."""
    shared = {"conversation_id": "c", "sampling_fraction": 0.25}
    return [sample(f"s{n}", "Why?", segments={"tier": "pro"}, **shared) for n in range(N)]


def test_an_anchor_s_row_stands_for_nothing_but_itself(process: Worker) -> None:
    rows = process.run(batch())["scores"]
    own = [row for row in rows if row["anchor_id"] is None]
    held = [row for row in rows if row["anchor_id"] is not None]
    assert (len(own), {row["weight"] for row in own}) == (N, {4.0})
    assert 15 < len(held) < 45
    for row in held:
        assert (row["model"], row["scorer"], row["value"]) == (JUDGE, LABEL, 1.0)
        assert (row["segments"], row["weight"], row["cluster"]) == ([], 1.0, None)
        assert row["explanation"] == f"judge {1 + int(row['anchor_id'][1:])}, people " + (
            f"{1 + int(row['anchor_id'][1:])}: So."
        )
    assert len({row["judge_cache_key"] for row in held}) == len(held)
    assert {row["cluster"] is None for row in own} == {False}


def test_every_draw_is_a_call_and_a_replay_pays_nothing(process: Worker, api: ModelsApi) -> None:
    first = process.run(batch(), batch_id=0)["scores"]
    held = sum(row["anchor_id"] is not None for row in first)
    assert len(api.asked) == 1 + held, "one response to grade, and every anchor anew"
    again = process.run(batch(), batch_id=0)["scores"]
    process.answers.commit(0)
    runtime = replace(process.plan.runtime, policy=CachePolicy.REPLAY)
    process.plan = replace(process.plan, runtime=runtime)
    replayed = process.run(batch(), batch_id=1)["scores"]
    assert len(api.asked) == 1 + held
    compared = ("sample_id", "anchor_id", "value", "judge_cache_key", "status")
    values = [[{name: row[name] for name in compared} for row in rows] for rows in
              (first, again, replayed)]  # fmt: skip
    assert values[0] == values[1] == values[2]


def test_a_sample_does_not_wait_for_an_anchor_that_failed() -> None:
    record = KafkaRecord("t", 0, 0, 7, None, b"{}")
    one = Sample("s1", 0, "assistant", (Message("user", "Why?"),), response="Because.")
    down = Score(None, ScoreStatus.FAILED, "judge_http_500")
    row = SampleScore("assistant", "helpful", "v1", down, None, "ab")
    assert len(failures([Evaluated(record, one, [row], [1.0])])) == 1
    held = replace(row, model=JUDGE, scorer=LABEL, anchor_id="a1")
    assert failures([Evaluated(record, one, [held], [1.0])]) == []
