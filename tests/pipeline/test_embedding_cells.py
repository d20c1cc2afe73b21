"""Cells of embeddings from end to end: gather vectors, fit centroids, score, count, show."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from typer.testing import CliRunner, Result

from streaming_eval.adapters import worker_runtime
from streaming_eval.adapters.schemas import SCORES
from streaming_eval.adapters.worker_runtime import RuntimePlan
from streaming_eval.cli import app
from streaming_eval.errors import SettingsError
from streaming_eval.local.embeddings_wire import HASHED_WORDS
from streaming_eval.local.endpoint_process import RecordedEndpoint
from streaming_eval.pipeline.endpoint_plans import endpoint_plan
from streaming_eval.pipeline.evaluation_versions import record_versions
from streaming_eval.pipeline.plan import evaluation_plan, monitor_plan
from streaming_eval.pipeline.plan_warnings import warnings
from streaming_eval.settings import Settings
from tests.pipeline.fleet import settings
from tests.pipeline.worker_process import Values, Worker, sample

TOPICS = ("the red fox ran", "a blue whale swam", "my green car broke")


def configured(base_url: str, **scorer: object) -> Settings:
    embedding = {"endpoint": "vectors", "model": HASHED_WORDS}
    cells = {"kind": "embedding_cell", "name": "topic", "embedding": embedding, **scorer}
    return settings(
        endpoints={"vectors": {"base_url": base_url, "api": "openai_embeddings"}},
        candidates=[],
        comparisons=[],
        scorers=[cells],
    )


@pytest.fixture(scope="module")
def endpoint() -> Iterator[RecordedEndpoint]:
    with RecordedEndpoint() as endpoint:
        yield endpoint


class Job:
    """One storage root, scored under one configuration after another."""

    def __init__(self, path: Path, base_url: str) -> None:
        self.path, self.base_url = path, base_url
        self.worker = Worker(path / "state", base_url)
        self._batches = 0

    def scored(self, values: Values, **scorer: object) -> list[dict[str, Any]]:
        fleet = configured(self.base_url, **scorer)
        endpoints = tuple(endpoint_plan(name, e, 2) for name, e in fleet.endpoints.items())
        worker, evaluation = self.worker, evaluation_plan(fleet)
        runtime = replace(worker.plan.runtime, endpoints=endpoints)
        worker.plan = replace(worker.plan, evaluation=evaluation, runtime=runtime)
        rows = worker.run(values, self._batches)["scores"]
        self._batches += 1
        record_versions(worker.tables, evaluation.scorers)
        worker.tables.append_untracked("scores", pa.Table.from_pylist(rows, schema=SCORES))
        worker.answers.commit(self._batches - 1)
        return rows

    def fit(self, *options: str, **scorer: object) -> Result:
        document = configured(self.base_url, **scorer).model_dump(mode="json", exclude_unset=True)
        config = self.path / "job.yaml"
        config.write_text(yaml.safe_dump(document))
        root = ["--config", str(config), "--set", f"storage.root={self.path / 'state'}"]
        return CliRunner().invoke(app, ["centroids", "fit", *options, *root])


@pytest.fixture
def job(
    tmp_path: Path, endpoint: RecordedEndpoint, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Job]:
    runtimes: dict[RuntimePlan, worker_runtime.WorkerRuntime] = {}
    monkeypatch.setattr(worker_runtime, "_runtimes", runtimes)
    yield Job(tmp_path, endpoint.base_url)
    for runtime in runtimes.values():
        runtime.close()


def samples(n: int, first: int = 0) -> Values:
    return [
        sample(f"s{i}", f"question {i}", response=f"{TOPICS[i % 3]} {i}")
        for i in range(first, first + n)
    ]


def fitted(job: Job, *more: str) -> Path:
    job.scored(samples(60))
    file = job.path / "topics.json"
    done = job.fit("--scorer", "topic", "-o", str(file), "--cells", "3", *more)
    assert done.exit_code == 0, done.output
    assert "3 centroids of 60 vectors" in done.output
    return file


def test_texts_of_one_topic_share_a_cell_once_centroids_are_fitted(job: Job) -> None:
    file = fitted(job)
    rows = job.scored(samples(30, first=1_000), centroids=file)
    cells = [{r["value"] for r in rows if int(r["sample_id"][1:]) % 3 == n} for n in range(3)]
    assert sorted(map(len, cells)) == [1, 1, 1]
    assert set.union(*cells) == {0.0, 1.0, 2.0}


def test_without_centroids_vectors_are_gathered_and_scores_are_missing(job: Job) -> None:
    (row,) = job.scored(samples(1))
    assert (row["value"], row["status"], row["error"]) == (None, "unparsable", "no_centroids")
    assert row["judge_cache_key"] in job.worker.tables.read("responses")["cache_key"].to_pylist()


def test_a_text_without_a_word_lies_in_no_cell_and_costs_no_call(job: Job) -> None:
    (row,) = job.scored([sample("a", response="  ")])
    assert (row["value"], row["error"], row["judge_cache_key"]) == (None, "blank_text", None)


def test_the_newest_message_of_the_user_is_what_is_embedded_of_a_prompt(job: Job) -> None:
    talk = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": "the red fox ran"},
    ]
    asked = json.loads(sample("a"))
    del asked["prompt"]
    values: Values = [json.dumps({**asked, "messages": talk}).encode()]
    job.scored(values, text="prompt")
    (request,) = job.worker.tables.read("responses")["request"].to_pylist()
    assert "the red fox ran" in request
    assert "Hello" not in request


def test_the_same_vectors_make_the_same_file_and_a_file_is_never_replaced(job: Job) -> None:
    file = fitted(job)
    again = job.path / "again.json"
    assert job.fit("--scorer", "topic", "-o", str(again), "--cells", "3").exit_code == 0
    assert again.read_bytes() == file.read_bytes()
    twice = job.fit("--scorer", "topic", "-o", str(file), "--cells", "3")
    assert twice.exit_code == 2
    assert "is there already" in twice.stderr


@pytest.mark.parametrize(
    ("options", "code", "problem"),
    [
        (["--scorer", "other"], 2, "'other' is no scorer of kind embedding_cell"),
        (["--scorer", "topic", "--cells", "65"], 2, "less than or equal to 64"),
        (["--scorer", "topic", "--cells", "61"], 1, "60 vectors of responses there, too few"),
        (["--scorer", "topic", "--to", "2025-06-01T12:00:00Z"], 1, "0 vectors of responses"),
        (["--scorer", "topic", "--from", "monday"], 2, "'monday' is not an instant"),
    ],
)
def test_what_cannot_be_fitted_is_said(
    job: Job, options: list[str], code: int, problem: str
) -> None:
    job.scored(samples(60))
    result = job.fit(*options, "-o", str(job.path / "x.json"))
    assert result.exit_code == code, result.output
    assert problem in " ".join(result.stderr.replace("│", " ").split())
    assert not (job.path / "x.json").exists()


def test_vectors_of_another_text_or_model_are_not_taken(job: Job) -> None:
    job.scored(samples(60))
    for other in ({"text": "prompt"}, {"embedding": {"endpoint": "vectors", "model": "other"}}):
        result = job.fit("--scorer", "topic", "-o", str(job.path / "x.json"), **other)
        assert "0 vectors of" in result.stderr


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"text": "prompt"}, "has centroids of responses by hashed-words"),
        ({"embedding": {"endpoint": "vectors", "model": "e"}}, "asks for responses by e with {}"),
    ],
)
def test_a_file_of_other_vectors_is_an_error_of_the_configuration(
    job: Job, change: dict[str, object], problem: str
) -> None:
    file = fitted(job)
    with pytest.raises(SettingsError, match="centroids of topic") as error:
        evaluation_plan(configured(job.base_url, centroids=file, **change))
    assert problem in str(error.value)


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"format":"streaming-eval-centroids/1"}'])
def test_a_file_that_is_missing_or_something_else_is_an_error_of_the_configuration(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "topics.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=r"cannot be read|no file of centroids"):
        monitor_plan(configured("http://127.0.0.1:9/v1", centroids=file))


def test_the_file_s_content_is_part_of_the_evaluation_version(job: Job) -> None:
    file = fitted(job)
    one = evaluation_plan(configured(job.base_url, centroids=file)).scorers[0]
    copy = job.path / "copy.json"
    copy.write_bytes(file.read_bytes())
    same = evaluation_plan(configured(job.base_url, centroids=copy)).scorers[0]
    copy.write_bytes(file.read_bytes().replace(b'"vectors":60', b'"vectors":61'))
    other = evaluation_plan(configured(job.base_url, centroids=copy)).scorers[0]
    assert one.evaluation_version == same.evaluation_version != other.evaluation_version


def test_the_monitor_counts_cells_one_by_one_and_watches_them_for_drift_only(job: Job) -> None:
    monitor = monitor_plan(configured(job.base_url, centroids=fitted(job)))
    watched = monitor.own["topic"]
    assert (watched.grid.levels, watched.alarm, watched.judged) == (3, False, False)
    assert watched.drift is not None
    assert not watched.drift.ordered
    assert monitor.named["topic"] == ("cell 0", "cell 1", "cell 2")


def test_a_scorer_without_centroids_is_a_warning() -> None:
    first, *_ = warnings(configured("http://127.0.0.1:9/v1"))
    assert first.startswith("scorers.0.centroids: absent; topic gathers vectors")
