"""Layers of configuration: which value wins, and what is said about a wrong one."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from streaming_eval.configuration import effective_yaml, load_settings
from streaming_eval.errors import SettingsError
from streaming_eval.settings import Settings

Write = Callable[[str], Path]

FILES = Path(__file__).parent / "configurations"
MINIMAL = FILES / "minimal.yaml"
ENDPOINT = (
    "version: 1\nproduction_models: [a]\nscorers: [{kind: contains}]\nendpoints:\n  e: {%s}\n"
)
OPENAI = {"OPENAI_BASE_URL": "https://gateway.example/v1", "OPENAI_API_KEY": "canary"}


def load(
    path: Path = MINIMAL, environ: Mapping[str, str] | None = None, **overrides: str
) -> Settings:
    dotted = {key.replace("__", "."): value for key, value in overrides.items()}
    return load_settings(path, dotted, environ or {})


def complaint(path: Path, environ: Mapping[str, str] | None = None, **overrides: str) -> str:
    with pytest.raises(SettingsError) as raised:
        load(path, environ, **overrides)
    return str(raised.value)


@pytest.fixture
def written(tmp_path: Path) -> Write:
    """Writes a text to a file."""

    def write(text: str) -> Path:
        path = tmp_path / "c.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_flags_win_over_environment_over_file_over_defaults(written: Write) -> None:
    path = written(MINIMAL.read_text() + "monitor: {alpha: 0.02}\n")
    variable = {"STREAMING_EVAL_MONITOR__ALPHA": "0.03"}
    assert load().monitor.alpha == 0.05
    assert load(path).monitor.alpha == 0.02
    assert load(path, variable).monitor.alpha == 0.03
    assert load(path, variable, monitor__alpha="0.04").monitor.alpha == 0.04


def test_the_environment_fills_a_list_or_a_mapping_with_json() -> None:
    environ = {
        "STREAMING_EVAL_PRODUCTION_MODELS": '["x", "y"]',
        "STREAMING_EVAL_ENDPOINTS": '{"a": {"base_url": "http://a/v1"}}',
        "STREAMING_EVAL_ENDPOINTS__A__MAX_IN_FLIGHT": "3",
        "STREAMING_EVAL_SCORERS__0__NAME": "2024",
    }
    settings = load(environ=environ)
    assert settings.production_models == ("x", "y")
    assert settings.endpoints["a"].max_in_flight == 3
    assert settings.scorers[0].label == "2024"


def test_a_variable_finds_a_name_of_the_file_whatever_its_case_and_dashes() -> None:
    environ = {"STREAMING_EVAL_ENDPOINTS__MY_VLLM__MAX_ATTEMPTS": "9"}
    endpoints = load(FILES / "everything.yaml", environ).endpoints
    assert endpoints["my-vLLM"].max_attempts == 9
    assert set(endpoints) == {"my-vLLM", "judges", "vectors"}


def test_the_variables_of_a_kubernetes_service_of_our_name_change_nothing() -> None:
    environ = {"STREAMING_EVAL_PORT": "tcp://10.0.0.1:9464", "STREAMING_EVAL_SERVICE_HOST": "x"}
    assert load(environ=environ) == load()


def test_a_misspelt_nested_variable_is_an_error_that_names_it() -> None:
    text = complaint(MINIMAL, {"STREAMING_EVAL_KAFAK__TOPIC": "t"})
    assert text.startswith("STREAMING_EVAL_KAFAK__TOPIC: kafak: unknown key, did you mean kafka?")


@pytest.mark.parametrize(
    ("environ", "overrides", "start"),
    [
        ({"STREAMING_EVAL_MONITOR__ALPHA": "2"}, {}, "STREAMING_EVAL_MONITOR__ALPHA: monitor.alph"),
        ({}, {"monitor__window": "61s"}, "--set monitor.window: monitor.window: 1m1s is not"),
        ({}, {"scorers__7__kind": "contains"}, "--set scorers.7.kind: scorers.7.kind: no such"),
        ({"KAFKA_BOOTSTRAP_SERVERS": "a b"}, {}, "KAFKA_BOOTSTRAP_SERVERS: kafka.bootstrap_serv"),
    ],
)
def test_a_wrong_value_from_outside_the_file_names_its_flag_or_variable(
    environ: dict[str, str], overrides: dict[str, str], start: str
) -> None:
    assert complaint(MINIMAL, environ, **overrides).startswith(start)


def test_all_errors_are_reported_at_once_in_the_order_of_the_file(written: Write) -> None:
    text = complaint(
        written(
            "version: 1\n"
            "candidates:\n"
            "  - {name: c, endpoint: nowhere, model: m}\n"
            "scorers:\n"
            "  - {kind: contain}\n"
            "  - {kind: judge}\n"
            "monitor: {alpha: 7, pane: 1}\n"
            "comparisons: [{candidate: d, against: production}]\n"
        )
    )
    found = [line.split(": ")[:2] for line in text.splitlines()]
    assert [key for _, key in found] == [
        "production_models",
        "candidates.0.endpoint",
        "scorers.0.kind",
        "scorers.1.judge",
        "monitor.pane",
        "monitor.alpha",
        "comparisons.0.candidate",
    ]
    assert [where.rpartition(":")[2] for where, _ in found] == ["1", "3", "5", "6", "7", "7", "8"]
    assert all("; allowed: " in line for line in text.splitlines())


def test_kafka_bootstrap_servers_replaces_the_default_and_nothing_else(written: Write) -> None:
    environ = {"KAFKA_BOOTSTRAP_SERVERS": "broker:9092"}
    stated = written(MINIMAL.read_text() + "kafka: {bootstrap_servers: mine:9092}\n")
    assert load(environ=environ).kafka.bootstrap_servers == "broker:9092"
    assert load(stated, environ).kafka.bootstrap_servers == "mine:9092"


def test_an_endpoint_without_address_is_that_of_the_openai_variables(written: Write) -> None:
    endpoint = load(written(ENDPOINT % ""), OPENAI).endpoints["e"]
    assert (endpoint.base_url, endpoint.api_key_env) == (
        OPENAI["OPENAI_BASE_URL"],
        "OPENAI_API_KEY",
    )
    assert "endpoints.e.base_url: is required and missing" in complaint(written(ENDPOINT % ""))


@pytest.mark.parametrize(
    ("endpoint", "environ", "key"),
    [
        ("base_url: 'https://api.openai.com/v1'", {"OPENAI_API_KEY": "k"}, "OPENAI_API_KEY"),
        ("base_url: 'https://api.openai.com/v1'", OPENAI, None),
        ("base_url: 'https://gateway.example/v1/'", OPENAI, "OPENAI_API_KEY"),
        ("base_url: 'http://elsewhere.example/v1'", OPENAI, None),
        ("api_key_env: MINE", OPENAI, "MINE"),
    ],
)
def test_the_openai_key_goes_only_where_it_belongs(
    written: Write, endpoint: str, environ: dict[str, str], key: str | None
) -> None:
    assert load(written(ENDPOINT % endpoint), environ).endpoints["e"].api_key_env == key


def test_a_number_in_quotes_or_true_is_not_a_number(written: Write) -> None:
    text = complaint(
        written(MINIMAL.read_text() + "exporter: {port: '1'}\nspark: {partitions: true}")
    )
    assert "exporter.port: got '1'; allowed: a whole number" in text
    assert "spark.partitions: got true; allowed: a whole number" in text


@pytest.mark.parametrize("name", ["minimal", "everything"])
def test_the_effective_settings_load_to_the_same(written: Write, name: str) -> None:
    settings = load(FILES / f"{name}.yaml")
    assert load(written(effective_yaml(settings))) == settings


def test_everything_sets_every_key_to_something_else_than_its_default() -> None:
    """So that the test above covers every key, also those that are added later."""
    given, default = load(FILES / "everything.yaml"), load()
    for section in ("kafka", "storage", "limits", "monitor", "exporter", "spark"):
        one, other = getattr(given, section), getattr(default, section)
        same = [key for key in type(one).model_fields if getattr(one, key) == getattr(other, key)]
        assert same == [], section
    assert {
        key for key in Settings.model_fields if getattr(given, key) == getattr(default, key)
    } == {"version"}


def test_settings_made_in_code_are_checked_like_those_of_a_file() -> None:
    values = {
        "version": 1,
        "production_models": ["a"],
        "scorers": [{"kind": "contains"}],
        "candidates": [{"name": "c", "endpoint": "nowhere", "model": "m"}],
    }
    with pytest.raises(ValueError, match=r"candidates\.0\.endpoint: 'nowhere' is not an endpoint"):
        Settings.model_validate_json(json.dumps(values))


def test_text_that_is_not_unicode_is_an_error_without_a_traceback(written: Write) -> None:
    text = complaint(written('version: 1\njob: "\\uD800"\n'))
    assert "not Unicode" in text
