"""Who is told of our alerts: the shipped configuration, and a real Alertmanager under it."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.test_rules import PROMETHEUS, ROOT, rules

SHIPPED = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
CONFIGURATION: dict[str, Any] = yaml.safe_load(SHIPPED.read_text())
OPERATIONS = ROOT / "docs" / "operations.md"


def check(path: Path) -> str:
    program = shutil.which("amtool")
    assert program, "amtool is needed: install the package prometheus-alertmanager"
    done = subprocess.run(
        [program, "check-config", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_shipped_configuration_is_valid() -> None:
    assert "3 inhibit rules" in check(SHIPPED)


@pytest.mark.slow
def test_the_channels_that_operations_shows_fit_into_it(tmp_path: Path) -> None:
    [block] = re.findall(r"```yaml\n(receivers:.*?)```", OPERATIONS.read_text(), re.DOTALL)
    shown = yaml.safe_load(block)
    for receiver in shown["receivers"]:
        for channel in receiver.get("slack_configs", ()):
            secret = tmp_path / "secret"
            secret.write_text("https://slack.example/x")
            channel["api_url_file"] = str(secret)
    assert {r["name"] for r in shown["receivers"]} == {
        r["name"] for r in CONFIGURATION["receivers"]
    }
    file = tmp_path / "alertmanager.yml"
    file.write_text(yaml.safe_dump(CONFIGURATION | shown))
    check(file)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("alert", "severity"),
    [
        *((p.values[0]["alert"], p.values[0]["labels"]["severity"]) for p in rules()),
        ("StreamingEvalSomethingNew", "info"),
        ("NodeDown", "critical"),
    ],
)
def test_each_alert_of_ours_has_the_receiver_of_its_severity(alert: str, severity: str) -> None:
    by_severity = {"critical": "page", "warning": "ticket", "info": "nobody"}
    expected = by_severity[severity] if alert.startswith("StreamingEval") else "nobody"
    found = subprocess.run(
        ["amtool", "config", "routes", "test", f"--config.file={SHIPPED}",
         f"alertname={alert}", f"severity={severity}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stdout.split() == [expected]


def test_what_is_muted_and_by_what_are_alerts_that_we_have() -> None:
    ours = {param.values[0]["alert"] for param in rules()}
    for rule in CONFIGURATION["inhibit_rules"]:
        sources, targets = (
            _named(rule[side], ours) for side in ("source_matchers", "target_matchers")
        )
        assert len(sources) == 1
        assert targets
        assert not sources & targets
    silenced = _named(CONFIGURATION["inhibit_rules"][0]["target_matchers"], ours)
    assert silenced == {a for a in ours if a.endswith(("Regressed", "Drift"))}


def _named(matchers: list[str], alerts: set[str]) -> set[str]:
    """The alerts that matchers of a name select, each of which exists."""
    [pattern] = [m.split('"')[1] for m in matchers if m.startswith("alertname=")]
    return {alert for alert in alerts if re.fullmatch(pattern, alert)}


def test_prometheus_is_told_of_the_alertmanager() -> None:
    alerting = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["alerting"]
    [group] = alerting["alertmanagers"]
    assert group["static_configs"] == [{"targets": ["localhost:9093"]}]
