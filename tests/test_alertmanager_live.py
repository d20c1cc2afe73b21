"""Alerts of our rules, from a real Prometheus, under the shipped configuration of Alertmanager."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from streaming_eval.local.prometheus_api import PrometheusAlert, PrometheusApi
from streaming_eval.local.prometheus_server import PrometheusServer
from streaming_eval.records import ALL_SEGMENTS
from streaming_eval.snapshot import EstimateView, Snapshot
from tests.alertmanager import Alertmanager, Inbox, alertmanager
from tests.exporter_data import drifting, serving
from tests.test_rules import ROOT, RULE_FILES

pytestmark = pytest.mark.slow
SHIPPED = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
REGRESSED, DRIFTED, SILENT = (
    f"StreamingEval{name}" for name in ("QualityRegressed", "ScoreDrift", "EvaluatorSilent")
)
LIMIT_S = 20.0


def moved(view: EstimateView) -> EstimateView:
    """Worse and drifted at once, in one series; drifted, and worse than another, in a second."""
    key = view.key
    if (key.scorer, key.segment) != ("contains", ALL_SEGMENTS):
        return view
    if key.against:
        return replace(view, state="regressed")
    return view if key.model == "llama-2-7b" else replace(view, drift_state="drifted")


@pytest.fixture(scope="module")
def fired(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[PrometheusAlert]]:
    """What Prometheus makes of such a fleet, and then of an evaluator that does not answer."""
    now = time.time()
    shown = drifting(int(now * 1_000))
    estimates = tuple(moved(view) for view in shown.estimates)
    exporter = serving(Snapshot(shown.promises, estimates, shown.culprits), now)
    targets = {"streaming-eval": [f"127.0.0.1:{exporter.port}"]}
    try:
        with PrometheusServer(tmp_path_factory.mktemp("p"), targets, RULE_FILES) as server:
            decisions = eventually(lambda: firing(server.api))
            exporter.mark_unready()
            yield [*decisions, *eventually(lambda: silent(server.api))]
    finally:
        exporter.stop()


def firing(api: PrometheusApi) -> list[PrometheusAlert]:
    """All decisions once each group of rules has been evaluated; nothing before that."""
    found = [alert for alert in api.alerts() if alert.state == "firing"]
    names = {alert.name.removeprefix("StreamingEval") for alert in found}
    complete = {
        "QualityRegressed",
        "ModelRegressed",
        "ScoreDrift",
        "InputDrift",
        "JudgeDrift",
    } <= names
    return found if complete else []


def silent(api: PrometheusApi) -> list[PrometheusAlert]:
    """The alert on a target that is there; before the first scrape there is one on none."""
    return [a for a in api.alerts() if a.name == SILENT and "instance" in a.labels]


def eventually(
    read: Callable[[], list[PrometheusAlert]], limit_s: float = LIMIT_S
) -> list[PrometheusAlert]:
    until = time.monotonic() + limit_s
    while not (found := read()):
        assert time.monotonic() < until, "nothing came in time"
        time.sleep(0.2)
    return found


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    opened = Inbox()
    yield opened
    opened.close()


@pytest.fixture
def server(tmp_path: Path, inbox: Inbox) -> Iterator[Alertmanager]:
    with alertmanager(tmp_path, SHIPPED, inbox) as running:
        yield running


def post(server: Alertmanager, alerts: list[PrometheusAlert], **labels: str) -> None:
    server.post(({**a.labels, **labels}, a.annotations) for a in alerts)


def decisions(fired: list[PrometheusAlert]) -> list[PrometheusAlert]:
    return [alert for alert in fired if alert.name != SILENT]


def silence(fired: list[PrometheusAlert]) -> list[PrometheusAlert]:
    return [alert for alert in fired if alert.name == SILENT]


def muted(server: Alertmanager) -> dict[tuple[str, ...], bool]:
    """(Alert, model, segment, scorer, against, instance) to whether another alert mutes it."""
    names = ("alertname", "model", "segment", "scorer", "against", "instance")
    return {
        tuple(alert["labels"].get(name, "") for name in names): bool(alert["status"]["inhibitedBy"])
        for alert in server.alerts()
    }


def told(inbox: Inbox, receiver: str) -> set[tuple[tuple[str, str, str], frozenset[str]]]:
    """(Alert, model, scorer) of each message to a receiver, and the segments that it names."""
    return {
        (
            (alerts[0]["alertname"], alerts[0].get("model", ""), alerts[0].get("scorer", "")),
            frozenset(labels.get("segment", "") for labels in alerts),
        )
        for alerts in inbox.told(receiver)
    }


def test_the_pager_has_regressions_and_tickets_are_the_rest_one_message_per_model_and_scorer(
    server: Alertmanager, inbox: Inbox, fired: list[PrometheusAlert]
) -> None:
    post(server, decisions(fired))
    everywhere = frozenset({ALL_SEGMENTS})
    tickets = {
        ((DRIFTED, "assistant", "helpful"), everywhere),
        ((DRIFTED, "llama-2-13b", "contains"), everywhere),
        (("StreamingEvalInputDrift", "assistant", "segment_mix"), frozenset({"tier"})),
        (("StreamingEvalJudgeDrift", "__judge__", "helpful:anchors"), everywhere),
        (("StreamingEvalModelRegressed", "llama-2-13b", "contains"), frozenset({""})),
    }
    pages = {
        ((REGRESSED, "assistant", "contains"), frozenset({ALL_SEGMENTS, "tier=pro"})),
        ((REGRESSED, "llama-2-13b", "contains"), everywhere),
    }
    until = time.monotonic() + LIMIT_S
    while len(told(inbox, "ticket")) < len(tickets) or len(told(inbox, "page")) < len(pages):
        assert time.monotonic() < until, inbox.messages
        time.sleep(0.2)
    assert told(inbox, "page") == pages
    assert told(inbox, "ticket") == tickets
    assert told(inbox, "nobody") == set()


def test_a_regression_mutes_the_drift_of_the_same_series_and_of_no_other(
    server: Alertmanager, fired: list[PrometheusAlert]
) -> None:
    post(server, decisions(fired))
    found = muted(server)
    drifts = {key[1:4]: is_muted for key, is_muted in found.items() if key[0] == DRIFTED}
    assert drifts == {
        ("assistant", ALL_SEGMENTS, "contains"): True,
        ("assistant", ALL_SEGMENTS, "helpful"): False,
        ("llama-2-13b", ALL_SEGMENTS, "contains"): False,
    }
    others = {key[0] for key, is_muted in found.items() if is_muted}
    assert others == {DRIFTED}


def test_a_silent_evaluator_mutes_what_it_decided_and_nobody_else_s_decisions(
    server: Alertmanager, fired: list[PrometheusAlert]
) -> None:
    post(server, fired)
    post(server, decisions(fired), instance="other:9464")
    [circuit] = [{**silence(fired)[0].labels, "alertname": "StreamingEvalCircuitOpen"}]
    server.post([(circuit | {"severity": "warning", "endpoint": "vllm"}, {})])
    found = muted(server)
    [here] = {alert.labels["instance"] for alert in silence(fired)}
    told_here = {key[0] for key, is_muted in found.items() if key[-1] == here and not is_muted}
    assert told_here == {SILENT, "StreamingEvalCircuitOpen"}, "the cause is told with the effect"
    elsewhere = {key for key, is_muted in found.items() if key[-1] != here and is_muted}
    assert {key[0] for key in elsewhere} == {DRIFTED}, "muted by their own regression"


def test_without_any_target_every_decision_of_the_job_is_muted(
    server: Alertmanager, fired: list[PrometheusAlert]
) -> None:
    post(server, decisions(fired))
    post(server, decisions(fired), job="staging")
    absent = {k: v for k, v in silence(fired)[0].labels.items() if k != "instance"}
    server.post([(absent, {})])
    of_job = {a["labels"]["job"]: bool(a["status"]["inhibitedBy"]) for a in server.alerts()
              if a["labels"]["alertname"] == REGRESSED}  # fmt: skip
    assert of_job == {"streaming-eval": True, "staging": False}
