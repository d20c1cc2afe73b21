"""The command line as a user meets it: output, exit codes, no tracebacks."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner, Result

from streaming_eval import versions
from streaming_eval.cli import app
from streaming_eval.errors import EnvironmentProblem
from streaming_eval.local.doctor import Finding, Status
from streaming_eval.settings import Settings

ROOT = Path(__file__).parents[1]
MINIMAL = ROOT / "tests" / "configurations" / "minimal.yaml"
BROKEN = ROOT / "tests" / "configurations" / "broken_alpha.yaml"
HEAVY = (
    "pyspark",
    "delta",
    "pandas",
    "pyarrow",
    "deltalake",
    "aiohttp",
    "confluent_kafka",
    "numpy",
)

cli = CliRunner()


@pytest.fixture(autouse=True)
def _log_level() -> Iterator[None]:
    logger = logging.getLogger("streaming_eval")
    level = logger.level
    yield
    logger.setLevel(level)


class Recorder(ModuleType):
    """Stands in for the job's module: notes what `run` was given, then returns or raises."""

    def __init__(self, outcome: int | BaseException) -> None:
        super().__init__("recorder")
        self.outcome = outcome
        self.calls: list[tuple[Settings, dict[str, object]]] = []

    def run(self, settings: Settings, **options: object) -> int:
        self.calls.append((settings, options))
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome


def use_as_job(monkeypatch: pytest.MonkeyPatch, outcome: int | BaseException = 0) -> Recorder:
    recorder = Recorder(outcome)
    monkeypatch.setitem(sys.modules, "streaming_eval.pipeline.run", recorder)
    return recorder


def run(*flags: str) -> Result:
    return cli.invoke(app, ["run", "--config", str(MINIMAL), *flags])


def test_the_version_is_printed_with_the_versions_it_was_tested_with() -> None:
    lines = cli.invoke(app, ["version"]).stdout.splitlines()
    assert f"pyspark {versions.SPARK}" in lines
    assert f"delta-spark {versions.DELTA}" in lines
    assert cli.invoke(app, ["--version"]).stdout.splitlines() == lines
    as_json = json.loads(cli.invoke(app, ["version", "--output", "json"]).stdout)
    assert [f"{name} {number}" for name, number in as_json.items()] == lines


def test_the_help_names_every_verb_and_has_no_colour_outside_a_terminal() -> None:
    result = cli.invoke(app, ["--help"])
    assert result.exit_code == 0
    verbs = ("demo", "run", "validate", "doctor", "simulate", "compare", "schema", "version")
    for verb in verbs:
        assert f" {verb} " in result.stdout
    assert "\x1b" not in result.stdout


def test_looking_at_the_command_line_imports_nothing_heavy() -> None:
    """So that help, version and completion answer at once."""
    code = f"import sys, streaming_eval.cli; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_installed_command_refuses_a_broken_configuration_without_a_traceback() -> None:
    command = Path(sys.executable).with_name("streaming-eval")
    done = subprocess.run(
        [command, "validate", BROKEN], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"{BROKEN}:5: monitor.alpha: got 1.5; allowed: a number, above 0, below 1\n"
    )


def test_the_spark_submit_entry_is_the_verb_run() -> None:
    job = [sys.executable, str(ROOT / "jobs" / "evaluate.py"), "--config", str(BROKEN)]
    done = subprocess.run(job, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"{BROKEN}:5: monitor.alpha: ")


@pytest.mark.parametrize("arguments", [["sing"], ["run", "--loudly"], ["schema", "print", "song"]])
def test_what_does_not_exist_is_a_usage_error(arguments: list[str]) -> None:
    assert cli.invoke(app, arguments).exit_code == 2


@pytest.mark.parametrize("flag", ["monitor.alpha", "=0.1"])
def test_a_setting_without_key_or_value_is_a_usage_error(flag: str) -> None:
    result = cli.invoke(app, ["validate", str(MINIMAL), "--set", flag])
    assert result.exit_code == 2
    assert "is not KEY=VALUE" in result.stderr


def test_run_passes_settings_and_limits_to_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    flags = ["--set", "job=mine", "--stop-when-idle", "1m30s", "--max-runtime", "500ms"]
    recorder = use_as_job(monkeypatch)
    result = run(*flags)
    assert result.exit_code == 0, result.output
    [(settings, options)] = recorder.calls
    assert settings.job == "mine"
    assert options == {"stop_after_idle_s": 90.0, "max_runtime_s": 0.5}


def test_run_ends_with_the_exit_code_of_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    use_as_job(monkeypatch, 1)
    assert run().exit_code == 1


def test_run_refuses_a_duration_without_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = use_as_job(monkeypatch)
    result = run("--max-runtime", "5")
    assert result.exit_code == 2
    assert "a duration such as 30s" in result.stderr
    assert recorder.calls == []


def test_run_refuses_to_start_without_its_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = use_as_job(monkeypatch)
    monkeypatch.delenv("VLLM_API_KEY", raising=False)
    example = ROOT / "examples" / "streaming-eval.yaml"
    result = cli.invoke(app, ["run", "--config", str(example)])
    assert result.exit_code == 2
    assert "environment variable VLLM_API_KEY is not set" in result.stderr
    assert recorder.calls == []


def test_a_problem_of_the_machine_is_one_line_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_as_job(monkeypatch, EnvironmentProblem("no Java;\n  install one"))
    result = run()
    assert result.exit_code == 1
    assert result.stderr == "error: no Java; install one\n"


def test_validate_says_what_the_false_alarm_budget_comes_to() -> None:
    """One scorer, two models (others included), means and distributions; 30 days, one a week."""
    lines = cli.invoke(app, ["validate", str(MINIMAL)]).stdout.splitlines()
    assert lines[1] == (
        "alarms: at most 4 share a budget of one false alarm per 1w; in 30 days at most 4.3 are "
        "false on average, any at all with probability at most 1"
    )
    assert lines[2] == "alarms: log evidence needed per scorer: contains 10.6"
    silent = cli.invoke(app, ["validate", str(MINIMAL), "--set", "scorers.0.alarm=false"])
    assert silent.stdout.splitlines()[1:] == ["alarms: none, no scorer raises any"]


@pytest.mark.parametrize("flags", [["-v", "validate"], ["validate", "-v"]])
def test_the_traceback_is_shown_on_request(flags: list[str]) -> None:
    result = cli.invoke(app, [*flags, str(BROKEN)])
    assert result.exit_code == 2
    assert "Traceback" in result.stderr
    assert "Traceback" not in cli.invoke(app, ["validate", str(BROKEN)]).stderr


def test_an_interrupt_that_the_job_does_not_handle_exits_with_130(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_as_job(monkeypatch, KeyboardInterrupt())
    result = run()
    assert result.exit_code == 130
    assert "Traceback" not in result.output


def test_demo_passes_its_options(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[object] = []

    def run_demo(options: object) -> int:
        seen.append(options)
        return 1

    monkeypatch.setattr("streaming_eval.local.demo.run_demo", run_demo)
    flags = ["--rate", "50", "--state-dir", str(tmp_path), "--summary", "s.json", "--seed", "7"]
    assert cli.invoke(app, ["demo", *flags, "--keep-running"]).exit_code == 1
    from streaming_eval.local.demo import DemoOptions

    assert seen == [DemoOptions(50.0, tmp_path, Path("s.json"), True, 7)]


def test_the_schema_of_a_sample_is_printed() -> None:
    schema = json.loads(cli.invoke(app, ["schema", "print", "sample"]).stdout)
    assert schema["required"] == ["id", "time", "model"]


def test_more_series_than_are_kept_are_refused_as_by_run() -> None:
    result = cli.invoke(app, ["validate", str(MINIMAL), "--set", "monitor.max_series=1"])
    assert result.exit_code == 2
    assert "monitor.max_series: got 1, 2 series are possible; allowed: at least 2" in result.stderr


@pytest.mark.parametrize(("worst", "code"), [(Status.OK, 0), (Status.WARN, 0), (Status.FAIL, 1)])
def test_doctor_fails_when_a_check_fails(
    monkeypatch: pytest.MonkeyPatch, worst: Status, code: int
) -> None:
    findings = [Finding("java", Status.OK, "17"), Finding("kafka", worst, "silent", "start it")]
    monkeypatch.setattr("streaming_eval.local.doctor.examine", lambda *_: findings)
    result = cli.invoke(app, ["doctor", "--config", str(MINIMAL)])
    assert result.exit_code == code
    assert result.stdout.splitlines() == ["ok  java  17", f"{worst}  kafka  silent  start it"]
    as_json = cli.invoke(app, ["doctor", "--config", str(MINIMAL), "--output", "json"])
    assert as_json.exit_code == code
    assert json.loads(as_json.stdout)[1] == {
        "check": "kafka",
        "status": worst.value,
        "detail": "silent",
        "remedy": "start it",
    }


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_get_a_completion_script(shell: str) -> None:
    environ = {"_STREAMING_EVAL_COMPLETE": f"source_{shell}"}
    result = cli.invoke(app, [], env=environ, prog_name="streaming-eval")
    assert "_STREAMING_EVAL_COMPLETE=complete_" in result.stdout
