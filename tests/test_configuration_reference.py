"""The published pages say what the code does."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from streaming_eval.configuration import load_settings
from streaming_eval.configuration.document import parse_document
from streaming_eval.configuration.reference import settings_markdown
from streaming_eval.configuration.schema import allowed, schema_at, settings_schema

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "streaming-eval.yaml"


def test_the_reference_is_current() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    assert page == settings_markdown(), (
        "write it anew: streaming-eval schema print settings -o markdown > docs/configuration.md"
    )


def test_the_published_schema_is_current() -> None:
    published = json.loads((ROOT / "docs" / "configuration.schema.json").read_text())
    assert published == settings_schema(), (
        "write it anew: streaming-eval schema print settings > docs/configuration.schema.json"
    )


def test_the_example_is_valid_and_its_comments_too() -> None:
    """What is commented out must work once the comment sign is gone."""
    text = EXAMPLE.read_text()
    environ = {"VLLM_API_KEY": "k", "KAFKA_PASSWORD": "k"}
    assert load_settings(EXAMPLE, environ=environ, strict=True).job == "support-chat"
    security = [line.replace("# ", "", 1) for line in text.splitlines() if line.startswith("  # ")]
    document = parse_document("\n".join(["kafka:", *security])).values
    assert isinstance(document, dict)
    assert document["kafka"]["security"]["sasl.password"] == "env:KAFKA_PASSWORD"


def test_every_key_has_a_meaning_and_says_what_is_allowed() -> None:
    page = settings_markdown()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert len(rows) > 60
    for row in rows:
        _, _, may_be, _, meaning, _ = row.replace("\\|", "/").split("|")
        assert may_be.strip(), row
        assert meaning.strip(), row


def test_defaults_in_the_schema_are_what_a_file_would_say() -> None:
    schema = schema_at(("monitor", "window"))
    assert schema is not None
    assert (schema["default"], schema["type"]) == ("1h", "string")


def test_every_key_of_the_example_is_known_to_the_schema() -> None:
    document = parse_document(EXAMPLE.read_text())
    for path in document.lines:
        assert schema_at(path) is not None or "parameters" in path, path


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 0}, "a whole number, at least 0"),
        ({"enum": ["a", "b"]}, "a, b"),
        ({"anyOf": [{"type": "number"}, {"type": "null"}]}, "a number"),
        ({"type": "array", "items": {"type": "string"}}, "a list of text"),
        ({"type": "object", "additionalProperties": True}, "a mapping of names to values"),
        ({"type": "boolean"}, "true or false"),
        ({}, "any value"),
    ],
)
def test_a_schema_in_words(schema: dict[str, object], words: str) -> None:
    assert allowed(schema) == words


def test_no_section_takes_unknown_keys() -> None:
    for name, section in _sections():
        assert section["additionalProperties"] is False, name


def _sections() -> Iterator[tuple[str, dict[str, object]]]:
    yield "the file", settings_schema()
    definitions = settings_schema()["$defs"].items()
    yield from ((name, schema) for name, schema in definitions if "properties" in schema)
