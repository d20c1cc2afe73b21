"""The board and the rules against a real Prometheus that scrapes the real, running job."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from grafana.build import DASHBOARDS
from grafana.queries import panel_queries, substitute, variable_queries
from streaming_eval.local.demo_configuration import WINDOW
from streaming_eval.local.demo_stage import Stage
from streaming_eval.local.producer import SampleProducer
from streaming_eval.local.prometheus_api import PrometheusApi
from streaming_eval.local.questions import load_questions
from streaming_eval.local.sample_replay import SampleReplay, TopicRecord
from streaming_eval.local.topic_writer import TopicWriter
from streaming_eval.settings import KafkaSettings

pytestmark = [pytest.mark.slow, pytest.mark.spark]
BOARDS = [json.loads(path.read_text()) for path in sorted(DASHBOARDS.glob("*.json"))]
VALUES = {
    "job": "streaming-eval", "model": "assistant|llama-2-.*", "segment": "__all__",
    "scorer": "contains", "quantity": "latency_ms", "window": WINDOW, "endpoint": ".+",
    "__rate_interval": "30s",
}  # fmt: skip
OF_ONE_MODEL = "Mean of $model"
# No call is ever repeated on a healthy endpoint, so the reasons of repeats are not known; the job
# has no quota, asks nobody twice, and its judge has no anchors.
EMPTY_WHEN_ALL_IS_WELL = ("retries", "quota", "hedges", "budget", "culprit", "__judge__")
RATE_PER_S = 60.0
BASELINE_SAMPLES = 300
WATCHED = 'model="assistant",segment="__all__",scorer="contains"'
LIMIT_S = 240.0


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusApi]:
    with Stage(tmp_path_factory.mktemp("stage"), BASELINE_SAMPLES) as stage:
        bootstrap = stage.start_kafka()
        server = stage.start_prometheus(stage.start_job(stage.start_endpoint()))
        assert server is not None, "the tests need Prometheus"
        writer = TopicWriter(bootstrap, KafkaSettings().topic)
        producer = SampleProducer(writer, SampleReplay(load_questions(), run_id="board"))
        writer.write(TopicRecord(None, b"not a sample"))
        producer.start(RATE_PER_S)
        _wait_for(server.api, f'streaming_eval_score_samples{{window="{WINDOW}"}} > 0')
        _wait_for(server.api, 'increase(streaming_eval_samples_total{outcome="scored"}[30s]) > 0')
        _wait_for(server.api, "streaming_eval_kafka_lag_records")
        _wait_for(server.api, f'streaming_eval_effect{{window="{WINDOW}",against="",{WATCHED}}}')
        yield server.api
        producer.stop()


def test_every_panel_has_data_from_the_running_job(prometheus: PrometheusApi) -> None:
    empty = [
        f"{title}: {expr}"
        for board in BOARDS
        for title, expr in panel_queries(board)
        if not prometheus.query(substitute(expr, VALUES | _one_model(title)))
        and not any(word in expr for word in EMPTY_WHEN_ALL_IS_WELL)
    ]
    assert empty == []


def test_every_variable_has_values_from_the_running_job(prometheus: PrometheusApi) -> None:
    for name, expr in (query for board in BOARDS for query in variable_queries(board)):
        assert prometheus.query(substitute(expr, VALUES)), name


def test_every_rule_is_evaluated_and_none_fires_on_a_healthy_job(prometheus: PrometheusApi) -> None:
    assert {rule.name for rule in prometheus.rules()} >= {
        "StreamingEvalQualityRegressed",
        "StreamingEvalEvaluatorSilent",
        "StreamingEvalCircuitOpen",
    }
    assert [rule.last_error for rule in prometheus.rules() if rule.health == "err"] == []
    assert [alert.name for alert in prometheus.alerts() if alert.state == "firing"] == []


def _one_model(title: str) -> dict[str, str]:
    return {"model": "assistant"} if title == OF_ONE_MODEL else {}


def _wait_for(api: PrometheusApi, expr: str) -> None:
    until = time.monotonic() + LIMIT_S
    while not api.query(expr):
        assert time.monotonic() < until, f"{expr} had no result within {LIMIT_S:g} s"
        time.sleep(0.5)
