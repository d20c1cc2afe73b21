import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from streaming_eval.adapters.exporter import exported_metrics
from streaming_eval.adapters.exposition import render
from streaming_eval.settings import LimitSettings
from tests.exporter_data import full_house
from tests.promql import metric_names

ROOT = Path(__file__).parents[1]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RULE_FILES = sorted(PROMETHEUS.glob("rules/*.rules.yml"))
TEST_FILES = sorted(PROMETHEUS.glob("tests/*.test.yml"))
RUNBOOK_PARTS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
EXPORTED = {metric.name for metric in exported_metrics()}
BY_PROMETHEUS = {"up"}


def rules() -> list[Any]:
    groups = [group for path in RULE_FILES for group in yaml.safe_load(path.read_text())["groups"]]
    return [pytest.param(rule, id=rule["alert"]) for group in groups for rule in group["rules"]]


def promtool(*arguments: str) -> str:
    program = shutil.which("promtool")
    assert program, "promtool is needed: install the package prometheus"
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("path", TEST_FILES, ids=lambda path: path.name)
def test_alerts_fire_when_they_should_and_only_then(path: Path) -> None:
    promtool("test", "rules", str(path))


def test_the_scrape_configuration_and_its_rules_are_valid() -> None:
    said = promtool("check", "config", "--lint-fatal", str(PROMETHEUS / "prometheus.yml"))
    assert f"{len(RULE_FILES)} rule files found" in said


def test_every_rule_file_has_a_test_beside_it() -> None:
    assert RULE_FILES
    assert [p.name.split(".")[0] for p in RULE_FILES] == [p.name.split(".")[0] for p in TEST_FILES]


@pytest.mark.parametrize("path", TEST_FILES, ids=lambda path: path.name)
def test_every_case_opens_with_a_sentence_and_some_say_when_not_to_alert(path: Path) -> None:
    names = [case["name"] for case in yaml.safe_load(path.read_text())["tests"]]
    assert all(re.fullmatch(r"[A-Z].+ .+\.", name) for name in names)
    assert any(name.startswith("Don't alert") for name in names)


@pytest.mark.parametrize("rule", rules())
def test_every_metric_of_a_rule_is_exported(rule: dict[str, Any]) -> None:
    assert metric_names(rule["expr"]) <= EXPORTED | BY_PROMETHEUS
    mentioned = re.findall(r"streaming_eval_[a-z_]+(?=\{|\))", str(rule["annotations"]))
    assert set(mentioned) <= EXPORTED


@pytest.mark.parametrize("rule", rules())
def test_every_alert_says_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["alert"].startswith("StreamingEval")
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url", "dashboard_url"}
    assert "{{" not in rule["annotations"]["summary"]
    assert "{{" in rule["annotations"]["description"]
    assert (ROOT / rule["annotations"]["runbook_url"]).stem == rule["alert"]


@pytest.mark.parametrize("rule", rules())
def test_every_alert_has_a_runbook_in_four_parts(rule: dict[str, Any]) -> None:
    text = (ROOT / rule["annotations"]["runbook_url"]).read_text()
    assert text.startswith(f"# {rule['alert']}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == RUNBOOK_PARTS


@pytest.mark.parametrize("rule", rules())
def test_every_alert_links_to_a_board_that_exists(rule: dict[str, Any]) -> None:
    boards = [f'"uid": "{p}"' for p in [urlsplit(rule["annotations"]["dashboard_url"]).path[3:]]]
    files = (ROOT / "grafana" / "dashboards").glob("*.json")
    assert any(board in path.read_text() for path in files for board in boards)


def test_metrics_in_runbooks_are_exported() -> None:
    for path in (ROOT / "docs" / "runbooks").glob("*.md"):
        assert set(re.findall(r"streaming_eval_[a-z_]+", path.read_text())) <= EXPORTED


def test_quality_rules_read_decisions_and_compare_no_averages() -> None:
    text = (PROMETHEUS / "rules" / "quality.rules.yml").read_text()
    rules = [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]
    decision = "streaming_eval_monitor_state"
    of_a_model = {
        f"streaming_eval_model_regression_log_{name}" for name in ("evidence", "threshold")
    }
    assert {rule["alert"]: metric_names(rule["expr"]) for rule in rules} == {
        "StreamingEvalQualityRegressed": {decision},
        "StreamingEvalModelRegressed": {decision, *of_a_model},
    }


def test_a_full_house_fits_the_limits_of_the_scrape_configuration() -> None:
    [job] = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]
    page = render(full_house())
    assert page.count(b"\n") < job["sample_limit"]
    assert len(page) < int(job["body_size_limit"].removesuffix("MB")) * 2**20
    labels = max(len(metric.labels) for metric in exported_metrics())
    assert labels + len({"job", "instance", "__name__"}) <= job["label_limit"]
    assert max(map(len, EXPORTED)) <= job["label_name_length_limit"]
    longest_segment = f"{'n' * 128}={'😀' * LimitSettings().max_segment_chars}"
    assert len(longest_segment.encode()) <= job["label_value_length_limit"]
