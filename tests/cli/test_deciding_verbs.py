"""The verbs for baselines and alerts as a user meets them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from streaming_eval.alerting import Resolution, Why
from streaming_eval.cli import app
from tests.pipeline.deciding import Root
from tests.pipeline.fleet import PANE_MS, key, settings

HEAVY = ("pyspark", "pandas", "pyarrow", "deltalake", "numpy")
FROM_TO = ("--from", "1970-01-01T00:10:00Z", "--to", "1970-01-01T00:20:00Z")


@pytest.fixture
def root(tmp_path: Path) -> Root:
    root = Root(tmp_path / "state")
    root.scored(10, [1.0] * 30 + [0.0] * 10)
    root.scored(19, [0.0] * 3, model="small")
    document = settings().model_dump(mode="json", exclude_unset=True)
    document["monitor"]["drift"] = {"watch": False}  # or the mix of tiers has a baseline, too
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(document))
    return root


def verb(root: Root, *arguments: str) -> Result:
    options = ["--config", str(root.path.parent / "job.yaml")]
    options += ["--set", f"storage.root={root.path}"]
    return CliRunner().invoke(app, [*arguments, *options], env={"COLUMNS": "200"})


def created(root: Root) -> str:
    result = verb(root, "baseline", "create", *FROM_TO, "--model", "assistant", "-o", "json")
    (one,) = json.loads(result.stdout)
    return str(one["baseline_id"])


def test_a_baseline_is_made_listed_shown_and_promoted(root: Root) -> None:
    result = verb(root, "baseline", "create", *FROM_TO, "--model", "assistant")
    assert result.exit_code == 0, result.output
    name, *rest = result.stdout.split("  ")
    period = "1970-01-01T00:10Z to 1970-01-01T00:20Z"
    assert rest == ["assistant / __all__ / contains", "40", "0.75", "created", f"{period}\n"]
    assert verb(root, "baseline", "list").stdout == result.stdout
    shown = verb(root, "baseline", "show", name).stdout
    assert "It lacks 60 of 100 scores: in force, it leaves the series insufficient." in shown
    assert "Bound of the mean that the alarm starts from: 0.6" in shown
    result = verb(root, "baseline", "promote", name, "--reason", "good week", "--by", "mira")
    assert result.stdout == f"promoted {name} for assistant / __all__ / contains\n"
    (decision,) = root.tables.read("decisions").to_pylist()
    assert (decision["baseline_id"], decision["decided_by"]) == (name, "mira")
    assert (decision["reason"], decision["counts"]) == ("good week", [10, 30])


def test_to_make_it_twice_is_to_make_it_once(root: Root) -> None:
    assert created(root) == created(root)
    assert len(json.loads(verb(root, "baseline", "list", "-o", "json").stdout)) == 1


def test_programs_are_told_everything(root: Root) -> None:
    (one,) = json.loads(
        verb(root, "baseline", "create", *FROM_TO, "--model", "assistant", "-o", "json").stdout
    )
    assert (one["in_force"], one["missing"], one["counts"]) == (False, 60, [10, 30])
    assert one["period_start"] == "1970-01-01T00:10:00+00:00"
    assert len(one["bounds"]) == 1
    shown = json.loads(verb(root, "baseline", "show", one["baseline_id"], "-o", "json").stdout)
    assert shown == one


def test_hours_of_the_day_on_request(root: Root) -> None:
    arguments = ("baseline", "create", *FROM_TO, "--model", "assistant", "--seasonal", "-o", "json")
    (one,) = json.loads(verb(root, *arguments).stdout)
    assert (one["seasonal"], len(one["counts"]), len(one["bounds"])) == (True, 48, 24)


def test_alerts_are_listed_and_acknowledged(root: Root) -> None:
    first, second = root.opened(key(), 5), root.opened(key("judge"), 6)
    root.resolved(key(), 5, Resolution(Why.ACKNOWLEDGED, 7 * PANE_MS, "mira", "rolled back"))
    lines = verb(root, "alerts", "list").stdout.splitlines()
    assert [line.split("  ")[0] for line in lines] == [first, second]
    assert lines[0].endswith("acknowledged  mira  rolled back")
    assert lines[1].endswith("  open")
    found = json.loads(verb(root, "alerts", "list", "--open", "-o", "json").stdout)
    assert [alert["alert_id"] for alert in found] == [second]
    result = verb(root, "alerts", "acknowledge", second, "--reason", "seen", "--by", "mira")
    assert result.stdout == f"acknowledged {second} of assistant / __all__ / judge\n"
    (decision,) = root.tables.read("decisions").to_pylist()
    assert (decision["kind"], decision["alert_id"]) == ("acknowledge", second)


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (["baseline", "create", *FROM_TO, "--scorer", "judge"], 1, "has scores there"),
        (["baseline", "create", "--from", "monday", "--to", "x"], 2, "'monday' is not an instant"),
        (["baseline", "create", *FROM_TO[2:], "--from", FROM_TO[3]], 2, "--from must be before"),
        (["baseline", "create", *FROM_TO[:3], "2099-01-01T00:00:00Z"], 2, "must be over"),
        (["baseline", "show", "b1"], 1, "there is no baseline b1"),
        (["baseline", "promote", "b1", "--reason", "x"], 1, "there is no baseline b1"),
        (["baseline", "promote", "b1"], 2, "--reason"),
        (["baseline", "promote", "b1", "--reason", " "], 2, "--reason: say why"),
        (["alerts", "acknowledge", "a1", "--reason", "x"], 1, "there is no alert a1"),
    ],
)
def test_what_cannot_be_done_is_said(
    root: Root, arguments: list[str], code: int, problem: str
) -> None:
    result = verb(root, *arguments)
    assert result.exit_code == code, result.output
    assert problem in " ".join(result.stderr.replace("│", " ").split())
    assert "Traceback" not in result.stderr
    assert root.tables.read("decisions").num_rows == 0


@pytest.mark.parametrize("arguments", [["baseline", "list"], ["alerts", "list"]])
def test_where_no_job_has_run_there_is_nothing_to_decide(
    root: Root, tmp_path: Path, arguments: list[str]
) -> None:
    root.path = tmp_path / "nowhere"
    result = verb(root, *arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: no job has run under")
    assert not root.path.exists()


def test_a_small_baseline_is_a_warning_and_no_error(root: Root) -> None:
    result = verb(root, "validate")
    assert result.exit_code == 0
    assert "warning: monitor.baseline.samples: 100; below 5,000" in result.stderr
    quiet = verb(root, "validate", "--set", "monitor.baseline.samples=5000")
    assert "warning" not in quiet.stderr
    hourly = verb(root, "validate", "--set", "monitor.baseline.seasonal=hour_of_day")
    assert "100, 4 for each hour of the day; below 120,000" in hourly.stderr


def test_looking_at_the_verbs_imports_nothing_heavy() -> None:
    modules = "streaming_eval.cli.baseline, streaming_eval.cli.alerts"
    code = f"import sys, {modules}; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
