"""The exporter, the rules and the board against a real Prometheus."""

import json
import math
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from grafana.build import DASHBOARDS
from grafana.queries import panel_queries, substitute, variable_queries
from streaming_eval.adapters.exporter import Exporter, exported_metrics
from streaming_eval.local.prometheus_api import PrometheusApi, QueryValue
from streaming_eval.local.prometheus_server import PrometheusServer
from streaming_eval.snapshot import Snapshot
from tests.exporter_data import PROMISES, drifting, serving, work

pytestmark = pytest.mark.slow
RULES = Path(__file__).parents[1] / "deploy" / "prometheus" / "rules"
BOARDS = [json.loads(path.read_text()) for path in sorted(DASHBOARDS.glob("*.json"))]
OVERVIEW, DRIFT = (
    next(board for board in BOARDS if board["uid"] == f"streaming-eval-{name}")
    for name in ("overview", "drift")
)
VALUES = {
    "job": "streaming-eval", "model": "assistant|llama-2-.*", "segment": "__all__",
    "scorer": "contains", "quantity": "latency_ms", "window": "1h", "endpoint": "recorded",
    "__rate_interval": "10s",
}  # fmt: skip
OF_ONE_MODEL = "Mean of $model"


@pytest.fixture(scope="module")
def exporter() -> Iterator[Exporter]:
    started = serving(drifting(int(time.time() * 1_000)), time.time())
    yield started
    started.stop()


@pytest.fixture(scope="module")
def prometheus(
    exporter: Exporter, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PrometheusApi]:
    server = PrometheusServer(
        tmp_path_factory.mktemp("prometheus"),
        {"streaming-eval": [f"127.0.0.1:{exporter.port}"]},
        sorted(RULES.glob("*.yml")),
    )
    with server:
        wait_for(server.api, "count_over_time(up[1m]) > 1")
        work(exporter.metrics, time.time())  # so that rates are above 0
        wait_for(server.api, 'streaming_eval_samples_total{outcome="scored"} == 400')
        yield server.api


def wait_for(api: PrometheusApi, expr: str, limit_s: float = 20.0) -> list[QueryValue]:
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        if found := api.query(expr):
            return found
        time.sleep(0.2)
    raise AssertionError(f"{expr} had no result within {limit_s} s")


@pytest.mark.parametrize(("title", "expr"), [q for board in BOARDS for q in panel_queries(board)])
def test_every_panel_has_data(title: str, expr: str, prometheus: PrometheusApi) -> None:
    one = {"model": "assistant"} if title == OF_ONE_MODEL else {}
    found = prometheus.query(substitute(expr, VALUES | one))
    assert found, f"{title} is empty"
    assert all(math.isfinite(each.value) for each in found)


@pytest.mark.parametrize(("name", "expr"), [q for b in BOARDS for q in variable_queries(b)])
def test_every_variable_has_values(name: str, expr: str, prometheus: PrometheusApi) -> None:
    label = re.findall(r"by \((\w+)\)", expr)[0]
    found = {each.labels.get(label) for each in prometheus.query(substitute(expr, VALUES))}
    assert found, name
    assert None not in found


def test_prometheus_has_every_metric(prometheus: PrometheusApi) -> None:
    for metric in exported_metrics():
        suffix = "_count" if metric.kind == "histogram" else ""
        assert prometheus.query(metric.name + suffix), metric.name


def test_the_state_timeline_codes_each_state(prometheus: PrometheusApi) -> None:
    expr = dict(panel_queries(OVERVIEW))["States over time"]
    found = prometheus.query(substitute(expr, VALUES))
    codes = {each.labels["model"]: each.value for each in found if "against" not in each.labels}
    assert codes == {"assistant": 3, "llama-2-7b": 1, "llama-2-13b": 2}


def test_the_worst_series_come_with_their_state(prometheus: PrometheusApi) -> None:
    expr = dict(panel_queries(OVERVIEW))["Series, most evidence of a regression first"]
    found = prometheus.query(substitute(expr, VALUES))
    assert len(found) == 10, "one row per series"
    states = {(each.labels["model"], each.labels["state"]) for each in found}
    assert ("assistant", "regressed") in states
    assert min(each.value for each in found) == 0, "no evidence is 0, not a large negative number"


def test_the_drift_board_codes_states_and_verdicts_by_the_word(prometheus: PrometheusApi) -> None:
    queries = dict(panel_queries(DRIFT))
    graded = VALUES | {"scorer": "helpful", "segment": ".+"}
    [state] = prometheus.query(substitute(queries["States over time"], graded))
    assert (state.value, state.labels["model"]) == (3, "assistant"), "drifted"
    verdicts = prometheus.query(substitute(queries["Verdicts over time"], VALUES))
    assert {each.labels["scorer"]: each.value for each in verdicts} == {"contains": 0, "helpful": 2}
    rows = prometheus.query(substitute(queries["What open alerts are put down to"], VALUES))
    said = {(each.labels["scorer"], each.labels["kind"], each.labels["culprit"]) for each in rows}
    assert said == {("contains", "regression", "undecided"), ("helpful", "drift", "judge")}


def test_the_distributions_with_most_evidence_come_with_their_state(
    prometheus: PrometheusApi,
) -> None:
    expr = dict(panel_queries(DRIFT))["Distributions, most evidence of drift first"]
    found = prometheus.query(substitute(expr, VALUES))
    assert len(found) == 10, "comparisons and judges have no distribution of their own"
    strongest = {each.labels["scorer"] for each in found if each.value > 1}
    assert strongest == {"helpful", "segment_mix"}
    assert {e.labels["state"] for e in found if e.labels["scorer"] in strongest} == {"drifted"}


def test_every_kind_of_drift_fires_its_own_alert(prometheus: PrometheusApi) -> None:
    wait_for(prometheus, 'ALERTS{alertname="StreamingEvalJudgeDrift",alertstate="firing"}')
    fired = {(a.name, a.labels["scorer"]) for a in prometheus.alerts() if "Drift" in a.name}
    assert fired == {
        ("StreamingEvalScoreDrift", "helpful"),
        ("StreamingEvalInputDrift", "segment_mix"),
        ("StreamingEvalJudgeDrift", "helpful:anchors"),
    }
    expr = dict(panel_queries(DRIFT))["Alerts of drift firing"]
    assert [each.value for each in prometheus.query(expr)] == [3]


def test_a_regression_is_announced_with_its_evidence(prometheus: PrometheusApi) -> None:
    wait_for(prometheus, 'ALERTS{alertname="StreamingEvalQualityRegressed",alertstate="firing"}')
    [alert] = [
        alert
        for alert in prometheus.alerts()
        if alert.labels["alertname"] == "StreamingEvalQualityRegressed"
        and alert.labels["segment"] == "__all__"
    ]
    assert alert.labels["model"] == "assistant"
    assert alert.annotations["description"] == (
        "contains of assistant on __all__ has fallen below its baseline of 0.901. "
        "Window 1h: n=668, mean 0.714, interval 0.66 to 0.763. "
        "Window baseline: n=668, mean 0.714, interval 0.66 to 0.763. "
        "Log evidence 21.50, threshold 12.25. Put down to: undecided. "
        "Promise: on average at most one false alarm in 7d 0h 0m 0s, all series together. "
        "Intervals hold with 95% at every look."
    )


def test_rules_are_healthy(prometheus: PrometheusApi) -> None:
    wait_for(prometheus, "ALERTS")
    assert {(rule.name, rule.health, rule.last_error) for rule in prometheus.rules()} == {
        ("StreamingEvalQualityRegressed", "ok", ""),
        ("StreamingEvalModelRegressed", "ok", ""),
        ("StreamingEvalScoreDrift", "ok", ""),
        ("StreamingEvalInputDrift", "ok", ""),
        ("StreamingEvalJudgeDrift", "ok", ""),
        ("StreamingEvalEvaluatorSilent", "ok", ""),
        ("StreamingEvalCircuitOpen", "ok", ""),
        ("StreamingEvalBudgetSpent", "ok", ""),
    }


def test_scrapes_are_complete_and_quick(prometheus: PrometheusApi) -> None:
    assert prometheus.query("scrape_samples_scraped")[0].value > 100
    assert prometheus.query("scrape_duration_seconds")[0].value < 0.25


def test_a_series_that_vanishes_is_gone_at_the_next_scrape(
    exporter: Exporter, prometheus: PrometheusApi
) -> None:
    shown = drifting(int(time.time() * 1_000))
    quiet = tuple(v for v in shown.estimates if v.key.scorer != "token_f1")
    exporter.publish(Snapshot(PROMISES, quiet))
    try:
        wait_for(prometheus, 'absent(streaming_eval_monitor_state{scorer="token_f1"})', 5.0)
    finally:
        exporter.publish(shown)


def test_an_evaluator_that_restores_is_down_and_not_healthy_again(
    exporter: Exporter, prometheus: PrometheusApi
) -> None:
    exporter.mark_unready()
    try:
        wait_for(prometheus, 'up{job="streaming-eval"} == 0', 5.0)
        assert not prometheus.query("streaming_eval_monitor_state")
        firing = 'ALERTS{alertname="StreamingEvalQualityRegressed",alertstate="firing"}'
        time.sleep(2.5)
        assert prometheus.query(firing), "a restart is not a recovery"
    finally:
        exporter.mark_ready()
        wait_for(prometheus, "streaming_eval_monitor_state", 5.0)
