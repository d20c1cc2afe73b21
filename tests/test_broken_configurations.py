"""Broken configurations: each is refused with file, line, key and what is allowed instead."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from streaming_eval.cli import app
from streaming_eval.configuration.document import YamlError, parse_document

FILES = Path(__file__).parent / "configurations"

# File: line, key, what is wrong, what is allowed.
BROKEN = {
    "unknown_key": (5, "monitor.alhpa", "unknown key, did you mean alpha?", "pane, window, "),
    "wrong_type": (5, "exporter.port", "got '9464'", "a whole number, at least 0, at most 65535"),
    "duration": (5, "monitor.window", "got '5 minutes'", "a duration above zero with its unit"),
    "missing_section": (1, "scorers", "is required and missing", "a list, not empty, of sections"),
    "unknown_endpoint": (9, "candidates.0.endpoint", "'vlm' is not an endpoint", "vllm"),
    "duplicate_name": (6, "scorers.1.name", "'found' is the name of two scorers", "a `name` that"),
    "reserved": (5, "scorers.0.name", "'segment_mix' is reserved", "any other name"),
    "alpha": (5, "monitor.alpha", "got 1.5", "a number, above 0, below 1"),
    "window": (6, "monitor.window", "1m30s is not a whole number of panes", "multiples of `pane`"),
    "two_key_sources": (8, "endpoints.vllm.api_key_file", "excludes api_key_env", "one of api_key"),
    "deadline": (8, "endpoints.vllm.request_timeout", "20s is longer than the deadl", "a duration"),
    "in_flight": (8, "endpoints.vllm.max_open", "got 16", "a whole number, at least 32, which is"),
    "scorer_kind": (4, "scorers.0.kind", "got 'containz', did you mean contains?", "exact_match, "),
    "judge": (4, "scorers.0.judge", "is required for kind judge", "a section with endpoint, model"),
    "embedding": (4, "scorers.0.embedding", "is required for kind embedding_s", "a section with"),
    "limit": (4, "scorers.0.limit_ms", "is required for kind latency_w", "milliseconds above 0"),
    "no_better": (5, "scorers.0.alarm", "response_chars has no better and no worse", "false, or"),
    "judge_api": (
        11,
        "scorers.0.judge.endpoint",
        "'vectors' speaks openai_embeddings, which cannot answer this",
        "an endpoint of openai_chat or anthropic_messages or gemini (here: vllm)",
    ),
    "candidate_api": (
        9,
        "candidates.0.endpoint",
        "'vectors' speaks openai_embeddings",
        "an endpoint of openai_chat or anthropic_messages or gemini or openai_completions",
    ),
    "prompt_api": (
        10,
        "candidates.0.endpoint",
        "'base' speaks openai_completions",
        "an endpoint of openai_chat or anthropic_messages or gemini",
    ),
    "embedding_api": (
        10,
        "scorers.0.embedding.endpoint",
        "'vllm' speaks openai_chat",
        "an endpoint of openai_embeddings (here: vectors)",
    ),
    "syntax": (4, "not valid YAML near `monitor`", "expected ',' or ']'", "valid YAML"),
    "duplicate_key": (6, "monitor.alpha", "the key is already given on line 5", "each key once"),
    "secret": (6, "kafka.security.sasl.password", "a secret stands in", "env:NAME or file:PATH"),
    "version": (1, "version", "got 2", "1"),
    "tab": (5, "not valid YAML near `alpha`", "found character '\\t'", "indentation by spaces"),
}


def test_every_broken_file_is_tested() -> None:
    assert {path.stem.removeprefix("broken_") for path in FILES.glob("broken_*")} == BROKEN.keys()


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_configuration_is_refused_with_line_key_and_what_is_allowed(name: str) -> None:
    line, key, wrong, allowed = BROKEN[name]
    path = FILES / f"broken_{name}.yaml"
    result = CliRunner().invoke(app, ["validate", "--config", str(path)], env={})
    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith(f"{path}:{line}: {key}: {wrong}")
    assert f"; allowed: {allowed}" in result.stderr
    assert "hunter2" not in result.stderr


@pytest.mark.parametrize("name", ["minimal", "everything"])
def test_a_good_configuration_is_accepted(name: str) -> None:
    result = CliRunner().invoke(app, ["validate", str(FILES / f"{name}.yaml")], env={})
    assert (result.exit_code, result.stderr) == (0, "")
    assert "valid" in result.stdout


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("'5'", "5"),
        ("1e999", "1e999"),
        ("1e3", 1000.0),
        ("-7", -7),
        ("~", None),
        ("TRUE", True),
        (".inf", ".inf"),
    ],
)
def test_words_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    assert parse_document(f"key: {text}").values == {"key": value}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: {c: 1, c: 2}", 2, "b.c: the key is already given on line 2"),
        ("a: 1\n---\nb: 2", 2, "expected a single document"),
        ("b: 1\na: &x\n  - *x", 2, "an alias that contains itself"),
        ("a: 1\n<<: {b: 1}", 2, "a merge key"),
        ("a: !!python/object/apply:os.getcwd []", 1, "a tag"),
        ("a: 1\nb: \x07", 2, "a control character"),
        ("? [a]\n: 1", 1, "a key that is a list"),
        ("[" * 5_000, 1, "nested too deeply"),
    ],
)
def test_yaml_that_could_mean_something_else_is_refused(text: str, line: int, message: str) -> None:
    with pytest.raises(YamlError, match=message) as raised:
        parse_document(text)
    assert raised.value.line == line
    assert "; allowed: " in raised.value.message


def test_bytes_that_are_not_utf_8_are_found_by_line(tmp_path: Path) -> None:
    path = tmp_path / "latin1.yaml"
    path.write_bytes(b"version: 1\njob: caf\xe9\n")
    result = CliRunner().invoke(app, ["validate", str(path)])
    assert result.stderr.startswith(f"{path}:2: a byte that is not UTF-8")
