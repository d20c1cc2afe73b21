"""One worker's share of a micro-batch, in this process and over real HTTP."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streaming_eval.adapters import worker_runtime
from streaming_eval.adapters.spool import list_files
from streaming_eval.adapters.worker_runtime import RuntimePlan
from streaming_eval.inference.cache.with_cache import CachePolicy
from streaming_eval.pipeline import worker
from tests.pipeline.models_api import ModelsApi
from tests.pipeline.worker_process import SKEW_MS, Values, Worker, sample


@pytest.fixture
def api() -> Iterator[ModelsApi]:
    with ModelsApi(lambda model, question: f"{question} Because.").serving() as api:
        yield api


@pytest.fixture
def process(tmp_path: Path, api: ModelsApi, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    runtimes: dict[RuntimePlan, worker_runtime.WorkerRuntime] = {}
    monkeypatch.setattr(worker_runtime, "_runtimes", runtimes)
    yield Worker(tmp_path, api.base_url)
    for runtime in runtimes.values():  # a real worker takes them to its grave
        runtime.close()


def calls(rows: dict[str, list[dict[str, Any]]]) -> dict[tuple[str, str], int]:
    return {(row["metric"], row["label"]): row["n"] for row in rows["calls"]}


def test_samples_become_scores_of_production_and_candidates(
    process: Worker, api: ModelsApi
) -> None:
    rows = process.run([sample("a", "One?"), sample("b", "Two?", response="No.")], batch_id=5)
    scores = {(r["sample_id"], r["model"]): r for r in rows["scores"]}
    assert {key: row["value"] for key, row in scores.items()} == {
        ("a", "assistant"): 1.0,
        ("a", "small"): 1.0,
        ("b", "assistant"): 0.0,
        ("b", "small"): 1.0,
    }
    small = scores["b", "small"]
    assert small["paired_values"] == [("assistant", 0.0)]
    assert (small["topic"], small["partition"], small["offset"]) == ("t", 3, 1)
    assert {row["batch_id"] for row in rows["scores"]} == {5}
    assert sorted(api.asked) == [("org/small", "One?"), ("org/small", "Two?")]
    assert calls(rows)["requests", "ok"] == 2
    assert calls(rows)["tokens", "output"] == 6


def test_times_from_the_future_are_clamped_and_no_others(process: Worker) -> None:
    before_ms = time.time_ns() // 1_000_000
    ahead = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(before_ms // 1_000 + 30))
    values: Values = [
        sample("future", time="2099-01-01T00:00:00Z"),
        sample("ahead", time=ahead),
        sample("old", time="2000-01-01T00:00:00.001Z"),
    ]
    rows = process.run(values)
    after_ms = time.time_ns() // 1_000_000
    at_ms = {r["sample_id"]: round(r["event_time"].timestamp() * 1_000) for r in rows["scores"]}
    assert before_ms + SKEW_MS <= at_ms["future"] <= after_ms + SKEW_MS
    assert at_ms["ahead"] == (before_ms // 1_000 + 30) * 1_000
    assert at_ms["old"] == 946_684_800_001
    assert len(rows["dead_letters"]) == 0


def test_what_is_no_sample_is_a_dead_letter_with_its_bytes(process: Worker) -> None:
    bad: Values = [b"\xff{", None, b'{"id": "x"}']
    rows = process.run([bad[0], sample("a"), bad[1], bad[2]])
    assert [row["value"] for row in rows["dead_letters"]] == bad
    assert [row["offset"] for row in rows["dead_letters"]] == [0, 2, 3]
    assert [row["reason"] for row in rows["dead_letters"]] == [
        "invalid_utf8",
        "tombstone",
        "missing_field",
    ]
    assert {row["key"] for row in rows["dead_letters"]} == {b"k"}
    assert {row["sample_id"] for row in rows["scores"]} == {"a"}


def test_a_batch_that_is_run_again_asks_nothing_again(process: Worker, api: ModelsApi) -> None:
    values: Values = [sample("a", "One?"), sample("b", "Two?")]
    first = process.run(values)
    second = process.run(values)
    assert len(api.asked) == 2
    assert ("requests", "ok") not in calls(second)
    assert calls(second)["cache_lookups", "hit"] == 2
    for row in (*first["scores"], *second["scores"]):
        del row["scored_at"]
    assert first["scores"] == second["scores"]


def test_equal_questions_of_a_batch_are_asked_once(process: Worker, api: ModelsApi) -> None:
    rows = process.run([sample(name) for name in "abcd"])
    assert len(api.asked) == 1
    assert len(rows["scores"]) == 8
    assert calls(rows)["cache_lookups", "hit"] == 3


@pytest.mark.parametrize("restarted", [False, True])
def test_a_later_batch_finds_what_earlier_ones_paid_for(
    process: Worker, api: ModelsApi, restarted: bool
) -> None:
    process.run([sample("a")], batch_id=0)
    process.answers.commit(0)
    if restarted:
        worker_runtime._runtimes.pop(process.plan.runtime).close()
    rows = process.run([sample("b")], batch_id=1)
    assert len(api.asked) == 1
    assert {r["value"] for r in rows["scores"]} == {1.0}
    assert process.answers.commit(1).num_rows == 0


def test_a_failed_call_is_a_failed_score_that_the_next_batch_tries_again(
    process: Worker, api: ModelsApi
) -> None:
    good, api.answer = api.answer, lambda model, question: None
    rows = process.run([sample("a")], batch_id=0)
    failed = {r["model"]: (r["value"], r["status"], r["error"]) for r in rows["scores"]}
    assert failed == {"assistant": (1.0, "ok", None), "small": (None, "failed", "http_400")}
    assert process.answers.commit(0).num_rows == 0, "a failure is never kept"
    api.answer = good
    rows = process.run([sample("b")], batch_id=1)
    assert {r["status"] for r in rows["scores"]} == {"ok"}


def test_a_replay_asks_nobody(process: Worker, api: ModelsApi) -> None:
    process.run([sample("a", "Known?")], batch_id=0)
    process.answers.commit(0)
    runtime = replace(process.plan.runtime, policy=CachePolicy.REPLAY)
    process.plan = replace(process.plan, runtime=runtime)
    rows = process.run([sample("b", "Known?"), sample("c", "New?")], batch_id=1)
    errors = {r["sample_id"]: r["error"] for r in rows["scores"] if r["model"] == "small"}
    assert errors == {"b": None, "c": "cache_miss"}
    assert len(api.asked) == 1


def test_a_sample_that_nothing_can_be_said_of_is_counted(process: Worker) -> None:
    rows = process.run([sample("a", target=None), sample("b")])
    assert {r["sample_id"] for r in rows["scores"]} == {"b"}
    assert calls(rows)["samples", "unscored"] == 1


def test_an_empty_share_returns_nothing_and_leaves_no_spool(process: Worker) -> None:
    rows = process.run([])
    assert not any(rows.values())
    assert not list_files(process.answers.directory(0))


def test_many_scores_leave_in_several_blobs_and_all_arrive(
    process: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_SCORES_PER_BLOB", 4)
    rows = process.run([sample(f"s{n}") for n in range(9)])
    assert [r["sample_id"] for r in rows["scores"][::2]] == [f"s{n}" for n in range(9)]


def test_the_garbage_collector_is_on_again_even_after_a_failure(
    process: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        assert not gc.isenabled()
        raise RuntimeError

    monkeypatch.setattr(worker, "scores_table", broken)
    with pytest.raises(RuntimeError):
        process.run([sample("a")])
    assert gc.isenabled()


def test_a_task_tells_what_its_endpoint_was_like(process: Worker, api: ModelsApi) -> None:
    for asked in (["One?", "Two?", "Three?"], ["Four?"], []):
        rows = process.run([sample(q, q) for q in asked], batch_id=len(asked))
        told = calls(rows)
        assert bool(told) == bool(asked), "a task without records has nothing to tell"
        if asked:
            durations = [n for (metric, _), n in told.items() if metric == "durations"]
            assert sum(durations) == told["requests", "ok"] == len(asked)
            assert told["microseconds", ""] > 0
            assert 1 <= told["requests_in_flight", ""] <= len(asked)
            assert told["circuit_state", "closed"] == 1
            assert (told["circuit_openings", ""], told["in_flight_limit", ""]) == (0, 8)
