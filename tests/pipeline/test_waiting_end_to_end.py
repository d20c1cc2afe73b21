"""The running job while money is short, and while an endpoint is slow and fails now and then."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from itertools import product

import pytest

from streaming_eval.local.demo_configuration import CANDIDATES
from streaming_eval.local.endpoint_process import RecordedEndpoint
from streaming_eval.local.ports import free_ports
from streaming_eval.local.sample_replay import PRODUCTION_MODEL, wall_ms
from tests.faults.site import Place, Site
from tests.faults.topic import replayed, sample_ids
from tests.faults.waiting import wait_until
from tests.pipeline.metrics_page import metrics, value

pytestmark = [pytest.mark.slow, pytest.mark.spark, pytest.mark.timeout(600)]
LIMIT_S = 180.0
MODELS = {PRODUCTION_MODEL, *CANDIDATES}
SCORERS = {"contains", "exact_match", "token_f1", "latency_ms", "judge"}
ALL = {"model": "__all__", "per": "day", "unit": "tokens"}


@pytest.fixture
def own_endpoint(site: Site, request: pytest.FixtureRequest) -> Iterator[RecordedEndpoint]:
    with site.endpoint(request.node.name, latency_ms=20.0) as endpoint:
        yield endpoint


def budget(tokens: int) -> dict[str, object]:
    return {"budgets.caps": json.dumps([{"tokens": tokens, "per": "day"}])}


def scored_once(place: Place, ids: list[str]) -> bool:
    rows = place.read("scores").select(["sample_id", "model", "scorer"]).to_pylist()
    got = Counter(tuple(row.values()) for row in rows)
    return set(got.values()) <= {1} and got.keys() == set(product(ids, MODELS, SCORERS))


def test_a_spent_budget_stops_the_job_without_losing_or_repaying_anything(
    site: Site, own_endpoint: RecordedEndpoint, request: pytest.FixtureRequest
) -> None:
    name, (port,) = request.node.name, free_ports(1)
    topic = site.topic("spent")
    samples = replayed(150, "s", seed=3, step_ms=5, swap=False, start_ms=wall_ms() - 1_000)
    site.produce(topic, samples)
    poor = site.place(name, topic, own_endpoint, {"exporter.port": port, **budget(20_000)})
    with poor.job() as job:
        wait_until(
            lambda: value(metrics(port), "budget_wait_until_timestamp_seconds") > time.time(),
            job,
            LIMIT_S,
        )
        page = metrics(port)
        paid = len(poor.calls())
        assert 0 < paid < len(samples) * len(CANDIDATES)
        assert value(page, "budget_refused_calls_total", **ALL) > 0
        assert value(page, "budget_remaining_ratio", **ALL) < 0.6
        assert poor.read("scores").num_rows == 0, "a batch that lacks a call is not committed"
        time.sleep(1.0)
        assert len(poor.calls()) == paid, "while it waits it asks nobody"
        job.terminate()
        assert job.wait(30.0) == 0
    rich = site.place(name, topic, own_endpoint, {"exporter.port": port, **budget(10**9)})
    ids = sample_ids(samples)
    with rich.job() as job:
        wait_until(lambda: scored_once(rich, ids), job, LIMIT_S)
        job.terminate()
        assert job.wait(30.0) == 0
    asked = Counter((call.model, call.body_sha256) for call in rich.calls())
    assert set(asked.values()) == {1}
    assert {row["job"] for row in rich.read("responses").select(["job"]).to_pylist()} == {"demo"}


def test_slow_and_failing_calls_hold_up_nobody_and_cost_no_sample(
    site: Site, own_endpoint: RecordedEndpoint, request: pytest.FixtureRequest
) -> None:
    name, (port,) = request.node.name, free_ports(1)
    topic = site.topic("waiting")
    own_endpoint.control(error_rate=0.05, latency_tail_share=0.02, latency_tail_ms=3_000.0)
    settings = {
        "exporter.port": port,
        "endpoints.recorded.max_attempts": 1,
        "endpoints.recorded.request_timeout": "10s",
        "batches.straggler_after": "1s",
        "batches.first_pause": "2s",
        "batches.max_tries": 10,
    }
    samples = replayed(300, "w", seed=4, step_ms=5, swap=False, start_ms=wall_ms() - 2_000)
    place, ids = site.place(name, topic, own_endpoint, settings), sample_ids(samples)
    with place.job() as job:
        site.produce(topic, samples)
        wait_until(lambda: value(metrics(port), "pending_samples") > 0, job, LIMIT_S)
        assert place.read("scores").num_rows > 0, "those that lack nothing are scored already"
        wait_until(lambda: scored_once(place, ids), job, LIMIT_S)
        wait_until(lambda: value(metrics(port), "pending_samples") == 0, job, LIMIT_S)
        assert value(metrics(port), "samples_total", outcome="requeued") > 0
        job.terminate()
        assert job.wait(30.0) == 0
    assert set(place.read("scores")["status"].to_pylist()) == {"ok"}
    answered = Counter(
        (call.model, call.body_sha256) for call in place.calls() if call.status == 200
    )
    assert set(answered.values()) == {1}, "an answer that came late was not asked for again"
