"""Secrets are named, found, and never shown."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from streaming_eval.cli import app
from streaming_eval.configuration import load_settings
from streaming_eval.configuration.secrets import MASK, masked, missing_secrets, resolve
from streaming_eval.errors import SettingsError

EVERYTHING = Path(__file__).parent / "configurations" / "everything.yaml"
CANARY = "canary-7f3a"


def test_a_secret_comes_from_a_variable_or_a_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("from-file\n")
    assert resolve("env:KEY", {"KEY": "from-env"}) == "from-env"
    assert resolve(f"file:{path}", {}) == "from-file"
    assert resolve("SASL_SSL", {}) == "SASL_SSL"


def test_a_secret_that_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for reference in ("env:KEY", f"file:{tmp_path}/absent", f"file:{tmp_path}/empty"):
        with pytest.raises(SettingsError, match=r"KEY|absent|empty"):
            resolve(reference, {"KEY": ""})


def test_strict_validation_names_every_missing_secret_with_its_line() -> None:
    settings = load_settings(EVERYTHING, environ={})
    assert len(missing_secrets(settings, {})) == 3
    with pytest.raises(SettingsError) as raised:
        load_settings(EVERYTHING, environ={"KAFKA_PASSWORD": "x"}, strict=True)
    lines = str(raised.value).splitlines()
    assert [line.split(": ")[1] for line in lines] == [
        "endpoints.my-vLLM.api_key_env",
        "endpoints.judges.api_key_file",
    ]
    assert "environment variable VLLM_KEY is not set" in lines[0]
    assert lines[0].startswith(f"{EVERYTHING}:29: ")


@pytest.mark.parametrize(
    "text",
    [
        f"kafka: {{security: {{sasl.password: {CANARY}}}}}",
        f"kafka: {{security: {{ssl.key.pem: {CANARY}}}}}",
        f"kafka: {{security: {{sasl.password: [{CANARY}]}}}}",
        f"endpoints: {{e: {{base_url: 'http://u:{CANARY}@host/v1'}}}}",
        f"endpoints: {{e: {{base_url: 'http://host/v1?key={CANARY}'}}}}",
        f"endpoints: {{e: {{base_url: 'http://host', api_key: {CANARY}}}}}",
        f"endpoints: {{e: {{base_url: 'http://host', api_key_env: {CANARY}}}}}",
        "endpoints: {e: {base_url: 'http://host'}}\n"
        f"candidates: [{{name: c, endpoint: e, model: m, parameters: {{api_key: {CANARY}}}}}]",
        "endpoints: {e: {base_url: 'http://host'}}\ncandidates: [{name: c, endpoint: e, model: m,"
        f" parameters: {{extra_headers: {{Authorization: {CANARY}}}}}}}]",
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(f"version: 1\nproduction_models: [a]\nscorers: [{{kind: contains}}]\n{text}\n")
    for verbose in ([], ["-v"]):
        result = CliRunner().invoke(app, [*verbose, "validate", str(path)], env={})
        assert result.exit_code == 2
        assert "; allowed: " in result.stderr
        assert CANARY not in result.output


def test_the_effective_settings_show_references_and_never_the_secrets(tmp_path: Path) -> None:
    key = tmp_path / "judge.key"
    key.write_text(CANARY)
    environ = {
        "KAFKA_PASSWORD": CANARY,
        "VLLM_KEY": CANARY,
        "STREAMING_EVAL_ENDPOINTS__JUDGES__API_KEY_FILE": str(key),
    }
    arguments = ["validate", "--strict", "--print-effective", str(EVERYTHING)]
    result = CliRunner().invoke(app, arguments, env=environ)
    assert result.exit_code == 0, result.output
    assert "sasl.password: env:KAFKA_PASSWORD" in result.stdout
    assert "api_key_env: VLLM_KEY" in result.stdout
    assert CANARY not in result.output


def test_whatever_looks_like_a_secret_is_masked() -> None:
    values = {
        "sasl.password": CANARY,
        "deep": [{"api_key": CANARY}],
        "max_tokens": 5,
        "token": None,
    }
    assert masked(values) == {
        "sasl.password": MASK,
        "deep": [{"api_key": MASK}],
        "max_tokens": 5,
        "token": None,
    }
