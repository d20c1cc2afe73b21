"""The published JSON Schema of a configuration, and what it says about one key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, cast

from streaming_eval.settings import Settings, duration_text
from streaming_eval.settings.fields import DURATION_PATTERN
from streaming_eval.settings.fields import Path as KeyPath

JsonSchema = dict[str, Any]

_REFERENCE = "#/$defs/"
_BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "exclusiveMaximum": "below",
}
_PLAIN = {"boolean": "true or false", "null": "nothing", "object": "a mapping"}


@cache
def settings_schema() -> JsonSchema:
    """JSON Schema (draft 2020-12) of the configuration file."""
    schema = Settings.model_json_schema()
    for section in (schema, *schema["$defs"].values()):
        section.pop("title", None)
        for field in section.get("properties", {}).values():
            _tidy(field)
    # The file may leave the address to OPENAI_BASE_URL.
    schema["$defs"]["EndpointSettings"].pop("required")
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "streaming-eval"}
    return head | schema


def _tidy(field: JsonSchema) -> None:
    field.pop("title", None)
    if field.get("pattern") == DURATION_PATTERN:
        field["default"] = duration_text(field["default"])
    if "$ref" in field or field.get("default", ...) is None:
        # A section's defaults stand with its own keys; `null` says no more than "absent".
        field.pop("default", None)
    if "patternProperties" in field:
        field["additionalProperties"] = False


def resolved(schema: JsonSchema) -> JsonSchema:
    """The schema that a reference, or a choice between a value and nothing, stands for."""
    while True:
        if "$ref" in schema:
            name = str(schema["$ref"]).removeprefix(_REFERENCE)
            schema = settings_schema()["$defs"][name]
        elif "anyOf" in schema:
            schema = next(option for option in schema["anyOf"] if option.get("type") != "null")
        else:
            return schema


def schema_at(path: KeyPath) -> JsonSchema | None:
    """What may stand at a path; None where nothing is known about it.

    >>> schema_at(("monitor", "alpha"))["exclusiveMaximum"]
    1
    """
    schema: JsonSchema | None = settings_schema()
    for part in path:
        schema = None if schema is None else _child(resolved(schema), part)
    return None if schema is None else resolved(schema)


def _child(schema: JsonSchema, part: str | int) -> JsonSchema | None:
    if isinstance(part, int):
        return cast("JsonSchema | None", schema.get("items"))
    if part in schema.get("properties", {}):
        return cast(JsonSchema, schema["properties"][part])
    free = [*schema.get("patternProperties", {}).values(), schema.get("additionalProperties")]
    return next((child for child in free if isinstance(child, dict)), None)


def keys_at(path: KeyPath) -> list[str]:
    """The keys that a section has; empty where names are free or no section stands.

    >>> keys_at(("exporter",))
    ['host', 'port']
    """
    return list((schema_at(path) or {}).get("properties", {}))


def allowed(schema: JsonSchema) -> str:
    """What may stand there, in words.

    >>> allowed({"type": "integer", "minimum": 1, "maximum": 20})
    'a whole number, at least 1, at most 20'
    """
    schema = resolved(schema)
    if "x-allowed" in schema:
        return str(schema["x-allowed"])
    if "enum" in schema or "const" in schema:
        return ", ".join(str(value) for value in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type")
    if kind in ("integer", "number"):
        return ", ".join(["a whole number" if kind == "integer" else "a number", *_bounds(schema)])
    if kind == "string":
        return "text, not empty" if schema.get("minLength") else "text"
    if kind == "array":
        return f"a list{', not empty,' if schema.get('minItems') else ''} of {_each(schema)}"
    return _section(schema) if kind == "object" else _PLAIN.get(str(kind), "any value")


def _bounds(schema: Mapping[str, Any]) -> Iterator[str]:
    return (f"{word} {schema[key]}" for key, word in _BOUNDS.items() if key in schema)


def _each(schema: JsonSchema) -> str:
    item = resolved(schema["items"])
    return "sections" if "properties" in item else allowed(item)


def _section(schema: JsonSchema) -> str:
    if "properties" in schema:
        return f"a section with {', '.join(schema['properties'])}"
    inner = _child(schema, "")
    if inner is None:
        return "a mapping of names to values"
    named = resolved(inner)
    return f"a mapping of names to {'sections' if 'properties' in named else allowed(named)}"
