import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from prometheus_client import CollectorRegistry, Gauge, start_http_server

from streaming_eval.errors import EnvironmentProblem
from streaming_eval.local import prometheus_server
from streaming_eval.local.ports import free_ports
from streaming_eval.local.prometheus_api import PrometheusApi, QueryValue
from streaming_eval.local.prometheus_server import (
    PrometheusServer,
    find_prometheus,
    find_promtool,
)

T = TypeVar("T")

RULES = """
groups:
  - name: test
    rules:
      - record: temperature:double
        expr: 2 * temperature
      - alert: TooHot
        expr: temperature > 30
        labels: {severity: warning}
        annotations: {summary: It is too hot.}
"""


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    registry = CollectorRegistry()
    Gauge("temperature", "In degrees.", registry=registry).set(31)
    [port] = free_ports(1)
    server, thread = start_http_server(port, "127.0.0.1", registry)
    yield f"127.0.0.1:{port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def server(target: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusServer]:
    directory = tmp_path_factory.mktemp("prometheus")
    rules = directory / "test.rules.yml"
    rules.write_text(RULES)
    [dead_port] = free_ports(1)
    targets = {"alive": [target], "dead": [f"127.0.0.1:{dead_port}"]}
    with PrometheusServer(directory, targets, [rules]) as server:
        yield server


def eventually(read: Callable[[], list[T]], limit_s: float = 20) -> list[T]:
    deadline = time.monotonic() + limit_s
    while not (value := read()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return value


@pytest.mark.slow
def test_targets_that_answer_are_up_and_others_are_down(
    server: PrometheusServer, target: str
) -> None:
    up = eventually(lambda: server.api.query("up == 1"))
    assert [value.labels["instance"] for value in up] == [target]
    down = eventually(lambda: server.api.query('up{job="dead"}'))
    assert [value.value for value in down] == [0.0]


@pytest.mark.slow
def test_rules_are_evaluated_and_alerts_fire(server: PrometheusServer) -> None:
    doubled = eventually(lambda: server.api.query("temperature:double"))
    assert [value.value for value in doubled] == [62.0]
    [alert] = eventually(server.api.alerts)
    assert (alert.name, alert.state) == ("TooHot", "firing")
    assert alert.labels["severity"] == "warning"
    assert alert.annotations == {"summary": "It is too hot."}
    assert [(rule.name, rule.kind, rule.health) for rule in server.api.rules()] == [
        ("temperature:double", "recording", "ok"),
        ("TooHot", "alerting", "ok"),
    ]


@pytest.mark.slow
def test_a_scalar_has_no_labels(server: PrometheusServer) -> None:
    assert server.api.query("1 + 1") == [QueryValue({}, 2.0)]


@pytest.mark.slow
def test_a_bad_expression_is_refused_with_the_servers_reason(server: PrometheusServer) -> None:
    with pytest.raises(EnvironmentProblem, match="parse error"):
        server.api.query("up{")


@pytest.mark.slow
def test_a_restart_keeps_address_and_history_and_a_stop_leaves_no_process(
    server: PrometheusServer,
) -> None:
    eventually(lambda: server.api.query("temperature"))
    url, pid = server.url, server.pid
    server.stop()
    assert not Path("/proc", str(pid)).exists()
    server.start()
    assert server.url == url
    assert server.api.query("min_over_time(temperature[5m])")[0].value == 31


@pytest.mark.slow
def test_broken_rules_are_shown_as_the_server_names_them(tmp_path: Path) -> None:
    rules = tmp_path / "broken.rules.yml"
    rules.write_text("groups: [{name: a, rules: [{record: x, expr: 'up{'}]}]")
    with pytest.raises(EnvironmentProblem, match=r"(?s)Prometheus ended.*broken\.rules\.yml"):
        PrometheusServer(tmp_path / "server", {}, [rules]).start()


def test_a_machine_without_prometheus_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prometheus_server, "find_prometheus", lambda: None)
    with pytest.raises(EnvironmentProblem, match="package `prometheus`"):
        PrometheusServer(tmp_path, {}).start()


def test_a_silent_server_is_not_ready() -> None:
    [port] = free_ports(1)
    api = PrometheusApi(f"http://127.0.0.1:{port}")
    assert not api.ready()
    with pytest.raises(EnvironmentProblem, match="silent"):
        api.alerts()


def test_programs_are_looked_for_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_prometheus() is None
    for name in ("prometheus", "promtool"):
        (tmp_path / name).touch(mode=0o755)
    assert find_prometheus() == tmp_path / "prometheus"
    assert find_promtool() == tmp_path / "promtool"
