"""Many inputs, few round trips: a worker's calls of APIs that take several inputs, all real."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest

from streaming_eval.adapters import worker_runtime
from streaming_eval.adapters.call_tally import CallTally
from streaming_eval.adapters.endpoint_plan import EndpointPlan
from streaming_eval.adapters.spool import read_spool
from streaming_eval.inference.cache.cache_key import cache_key
from streaming_eval.local.answers import synthetic_text
from streaming_eval.local.embeddings_wire import HASHED_WORDS, hashed_words
from streaming_eval.local.endpoint_process import RecordedEndpoint
from streaming_eval.pipeline.endpoint_plans import endpoint_plan
from streaming_eval.records import Message, Request
from streaming_eval.settings import EndpointSettings
from tests.adapters.runtimes import runtime

TEXTS = [f"word{n} and more" for n in range(1_000)]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[RecordedEndpoint]:
    with RecordedEndpoint(synthetic=True) as endpoint:
        yield endpoint


def plan(endpoint: RecordedEndpoint, api: str = "openai_embeddings") -> EndpointPlan:
    settings = {"api": api, "base_url": endpoint.base_url, "max_in_flight": 8, "max_attempts": 2}
    return endpoint_plan("models", EndpointSettings.model_validate(settings), 1)


def asked(
    endpoint: RecordedEndpoint,
    texts: list[str],
    api: str = "openai_embeddings",
    model: str = HASHED_WORDS,
) -> list[Request]:
    return [Request(endpoint.base_url, api, model, (Message("user", text),)) for text in texts]


def calls(endpoint: RecordedEndpoint) -> int:
    return int(endpoint.stats()["calls"])


def test_a_thousand_inputs_cost_four_round_trips_and_a_repeat_costs_none(
    endpoint: RecordedEndpoint, tmp_path: Path
) -> None:
    before, requests = calls(endpoint), asked(endpoint, TEXTS)
    with runtime(tmp_path, plan(endpoint)) as worker:
        responses, counts = worker.task(requests)
        assert calls(endpoint) - before == 4
        again, repeated = worker.task(requests)
    assert calls(endpoint) - before == 4
    assert counts["requests", "ok"] == 4
    assert repeated["cache_lookups", "hit"] == 1_000
    assert ("requests", "ok") not in repeated
    for text, response, repeat in zip(TEXTS, responses, again, strict=True):
        assert np.allclose(orjson.loads(response.text or ""), hashed_words(text, 256))
        assert repeat == replace(response, cached=True)


def test_each_answer_is_stored_under_its_own_key_with_its_part_of_the_tokens(
    endpoint: RecordedEndpoint, tmp_path: Path
) -> None:
    requests = asked(endpoint, TEXTS)
    with runtime(tmp_path, plan(endpoint)) as worker:
        responses, counts = worker.task(requests)
    stored = {answer.cache_key: answer.response for answer in read_spool(tmp_path / "spool" / "0")}
    assert [stored[cache_key(r)].text for r in requests] == [r.text for r in responses]
    assert len(stored) == 1_000
    tokens = sum(answer.usage.input_tokens or 0 for answer in stored.values())
    assert tokens == counts["tokens", "input"] > 0
    assert sum(answer.attempts for answer in stored.values()) == 4


def test_prompts_in_plain_text_travel_together_too(
    endpoint: RecordedEndpoint, tmp_path: Path
) -> None:
    before, api = calls(endpoint), "openai_completions"
    with runtime(tmp_path, plan(endpoint, api)) as worker:
        responses, _ = worker.task(asked(endpoint, TEXTS[:300], api, "base"))
    assert [r.text for r in responses] == [synthetic_text("base", t) for t in TEXTS[:300]]
    assert calls(endpoint) - before == 2


def test_a_request_that_is_done_is_forgotten_whose_id_another_may_get(
    endpoint: RecordedEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tallies: list[CallTally] = []

    def tally() -> CallTally:
        tallies.append(CallTally())
        return tallies[-1]

    monkeypatch.setattr(worker_runtime, "CallTally", tally)
    with runtime(tmp_path, plan(endpoint)) as worker:
        responses, counts = worker.task(asked(endpoint, TEXTS[:300], model="no-such-model"))
    assert {response.error for response in responses} == {"http_404"}
    assert counts["requests", "http_404"] == 2
    assert tallies
    assert all(tally._failed_once == {} for tally in tallies)


def test_the_api_s_own_limit_of_inputs_is_kept(endpoint: RecordedEndpoint, tmp_path: Path) -> None:
    before, texts = calls(endpoint), [f"{n}" for n in range(2_100)]
    generous = replace(plan(endpoint), inputs_per_request=5_000, gather_s=0.2)
    with runtime(tmp_path, generous) as worker:
        responses, _ = worker.task(asked(endpoint, texts))
    assert all(response.text for response in responses)
    assert calls(endpoint) - before == 2
