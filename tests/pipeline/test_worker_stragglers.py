"""A batch ends without its stragglers, whose answers count once and are never asked for again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from streaming_eval.adapters import worker_runtime
from streaming_eval.adapters.spool import list_files
from streaming_eval.adapters.task_spool import LATE
from streaming_eval.adapters.worker_runtime import RuntimePlan
from streaming_eval.inference.calls.batch_deadline import BatchLimits
from streaming_eval.inference.spending.books import BatchSpending
from streaming_eval.inference.spending.price import Prices
from streaming_eval.inference.spending.sampling import unit
from streaming_eval.pipeline.unfinished import UNFINISHED, by_place
from tests.pipeline.models_api import ModelsApi
from tests.pipeline.worker_process import PATIENT, Values, Worker, sample

PATIENCE_S = 10
LIMITS = BatchLimits(60.0, 0.05, 0.5, 0.005, None)
SHORT = BatchLimits(0.04, 60.0, 0.0, 0.005, None)
BATCH: Values = [sample("a", "One?"), sample("b", "Late?"), sample("c", "Three?")]
Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture
def api() -> Iterator[ModelsApi]:
    api = ModelsApi(lambda model, question: f"{question} Because.")
    api.hold("Late?")
    with api.serving():
        yield api


@pytest.fixture
def process(tmp_path: Path, api: ModelsApi, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    runtimes: dict[RuntimePlan, worker_runtime.WorkerRuntime] = {}
    monkeypatch.setattr(worker_runtime, "_runtimes", runtimes)
    yield Worker(tmp_path, api.base_url, LIMITS)
    for runtime in runtimes.values():  # a real worker takes them to its grave
        runtime.close()


def calls(rows: Rows) -> dict[tuple[str, str], int]:
    return {(row["metric"], row["label"]): row["n"] for row in rows["calls"]}


def errors(rows: Rows) -> dict[str, str | None]:
    """Of the candidate's scores, by sample."""
    return {r["sample_id"]: r["error"] for r in rows["scores"] if r["model"] == "small"}


def until(happened: Callable[[], object]) -> None:
    """Waits for another thread; fails when that takes far too long."""
    ends_at = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < ends_at
        time.sleep(0.001)


def late_files(process: Worker) -> list[Path]:
    return list_files(process.answers.directory(0).parent / LATE)


def answered_late(process: Worker, api: ModelsApi) -> None:
    api.release("Late?")
    until(lambda: late_files(process))


def test_the_batch_ends_without_the_straggler_which_waits_for_its_answer(process: Worker) -> None:
    rows = process.run(BATCH)
    assert errors(rows) == {"a": None, "b": "batch_deadline", "c": None}
    (late,) = rows["unfinished"]
    assert (late["topic"], late["partition"], late["offset"]) == ("t", 3, 1)
    assert (late["key"], late["value"], late["reason"]) == (b"k", BATCH[1], "batch_deadline")
    keys = {r["sample_id"]: r["cache_key"] for r in rows["scores"] if r["model"] == "small"}
    assert late["awaited"] == [keys["b"]]
    assert process.answers.commit(0).num_rows == 2


def test_the_late_answer_is_kept_and_found_by_the_next_batch(
    process: Worker, api: ModelsApi
) -> None:
    (late,) = process.run(BATCH)["unfinished"]
    process.answers.commit(0)
    assert process.answers.commit_late().num_rows == 0
    answered_late(process, api)
    assert process.answers.commit_late()["cache_key"].to_pylist() == late["awaited"]
    assert late_files(process) == []
    rows = process.run([BATCH[1]], batch_id=1)
    assert errors(rows) == {"b": None}
    assert rows["unfinished"] == []
    assert calls(rows)["cache_lookups", "hit"] == 1
    assert [question for _, question in api.asked].count("Late?") == 1
    assert process.answers.commit(1).num_rows == 0


def test_a_batch_that_comes_before_the_answer_joins_the_call(
    process: Worker, api: ModelsApi
) -> None:
    process.run(BATCH)
    process.answers.commit(0)
    others = [sample("d", "Four?"), sample("e", "Five?")]
    again = process.run([*others, BATCH[1]], batch_id=1)
    assert errors(again) == {"d": None, "e": None, "b": "batch_deadline"}
    (runtime,) = worker_runtime._runtimes.values()

    def release_once_joined() -> None:
        until(lambda: any(runtime._flights.awaited()))
        api.release("Late?")

    helper = threading.Thread(target=release_once_joined)
    helper.start()
    rows = process.run([BATCH[1]], batch_id=2)
    helper.join()
    assert errors(rows) == {"b": None}
    assert [question for _, question in api.asked].count("Late?") == 1
    until(lambda: late_files(process))
    assert process.answers.commit(2).num_rows == 0, "the batch that began the call keeps it"
    assert process.answers.commit_late().num_rows == 1


def test_what_a_late_call_came_to_is_counted_once_by_the_task_after_it(
    process: Worker, api: ModelsApi
) -> None:
    first = process.run(BATCH)
    assert calls(first)["requests", "ok"] == 2
    assert calls(first)["tokens", "output"] == 2 * 3
    meanwhile = process.run([sample("d", "Four?")], batch_id=1)
    assert calls(meanwhile)["requests", "ok"] == 1
    answered_late(process, api)
    following = process.run([sample("e", "Five?")], batch_id=2)
    assert calls(following)["requests", "ok"] == 1 + 1
    assert calls(following)["tokens", "output"] == 2 * 3
    durations = [n for (metric, _), n in calls(following).items() if metric == "durations"]
    assert sum(durations) == 2
    assert calls(following)["cache_lookups", "miss"] == 1
    last = process.run([sample("f", "Six?")], batch_id=3)
    assert calls(last)["requests", "ok"] == 1
    assert calls(last)["tokens", "output"] == 3


def test_more_stragglers_than_allowed_are_waited_for(process: Worker, api: ModelsApi) -> None:
    """Of two calls one is half of them, of one call it is all."""
    timer = threading.Timer(0.08, api.release, ("Late?",))
    timer.start()
    rows = process.run([BATCH[1]])
    timer.join()
    assert errors(rows) == {"b": None}
    assert rows["unfinished"] == []


def test_the_deadline_ends_a_batch_that_waits_for_all(process: Worker) -> None:
    process.plan = replace(process.plan, batches=SHORT)
    rows = process.run([BATCH[1]])
    assert errors(rows) == {"b": "batch_deadline"}
    assert len(rows["unfinished"][0]["awaited"]) == 1


def test_what_the_worker_tells_is_what_the_driver_reads(process: Worker) -> None:
    rows = process.run(BATCH)
    table = pa.Table.from_pylist(rows["unfinished"], UNFINISHED)
    ((where, failure),) = by_place(table).items()
    assert where == ("t", 3, 1)
    assert failure.tried
    assert failure.record.value == BATCH[1]


def drawn_at(rate: float, *, drawn: bool) -> str:
    """The id of a sample that is drawn, or not, at this rate."""
    return next(f"s{n}" for n in range(1_000) if (unit(f"s{n}") < rate) is drawn)


def weights(rows: Rows) -> dict[tuple[str, str], float]:
    return {(r["sample_id"], r["model"]): r["weight"] for r in rows["scores"]}


def test_a_sample_that_has_waited_keeps_the_weight_of_the_rate_it_was_drawn_at(
    process: Worker,
) -> None:
    process.plan = replace(process.plan, batches=PATIENT)
    spending = BatchSpending(1.0, (), Prices(), frozenset({"org/small"}))
    early, plain = drawn_at(0.25, drawn=True), drawn_at(0.25, drawn=False)
    values: Values = [sample(early, sampling_fraction=0.5), sample(plain, sampling_fraction=0.5)]
    rows = process.run(values, spending=spending, rates=[0.25, 1.0])
    assert weights(rows) == {
        (early, "assistant"): 1 / 0.5,
        (early, "small"): 1 / (0.5 * 0.25),
        (plain, "assistant"): 1 / 0.5,
        (plain, "small"): 1 / 0.5,
    }


def test_a_sample_is_drawn_at_the_lower_of_its_own_rate_and_that_of_the_batch(
    process: Worker,
) -> None:
    process.plan = replace(process.plan, batches=PATIENT)
    spending = BatchSpending(0.5, (), Prices(), frozenset({"org/small"}))
    early, spared = drawn_at(0.25, drawn=True), drawn_at(0.5, drawn=False)
    rows = process.run([sample(early), sample(spared)], spending=spending, rates=[0.25, 1.0])
    assert weights(rows) == {
        (early, "assistant"): 1.0,
        (early, "small"): 4.0,
        (spared, "assistant"): 1.0,
    }
    again = process.run([sample(early)], batch_id=1, spending=spending, rates=[1.0])
    assert weights(again)[early, "small"] == 2.0


def test_where_no_budget_limits_anything_a_rate_of_its_own_changes_nothing(process: Worker) -> None:
    process.plan = replace(process.plan, batches=PATIENT)
    rows = process.run([sample("a")], rates=[0.25])
    assert set(weights(rows).values()) == {1.0}
