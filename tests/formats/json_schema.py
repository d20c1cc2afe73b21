"""As much of a JSON Schema validator as the published schema needs; unknown keywords fail."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Schema = Mapping[str, Any]

_TYPES: dict[str, Callable[[Any], bool]] = {
    "null": lambda v: v is None,
    "string": lambda v: isinstance(v, str),
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "integer": lambda v: _TYPES["number"](v) and v == int(v),
}
_RULES: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "required": ("object", lambda v, names: all(name in v for name in names)),
    "properties": ("object", lambda v, s: all(valid(v[n], s[n]) for n in s if n in v)),
    "propertyNames": ("object", lambda v, s: all(valid(n, s) for n in v)),
    "maxProperties": ("object", lambda v, most: len(v) <= most),
    "items": ("array", lambda v, s: all(valid(one, s) for one in v)),
    "minItems": ("array", lambda v, least: len(v) >= least),
    "maxItems": ("array", lambda v, most: len(v) <= most),
    "maxLength": ("string", lambda v, most: len(v) <= most),
    "pattern": ("string", lambda v, pattern: re.search(pattern, v) is not None),
    "enum": ("string", lambda v, values: v in values),
    "minimum": ("number", lambda v, least: v >= least),
    "maximum": ("number", lambda v, most: v <= most),
    "exclusiveMinimum": ("number", lambda v, bound: v > bound),
}
_NOTES = {"$schema", "title", "description", "format", "type", "oneOf", "additionalProperties"}


def valid(value: Any, schema: Schema) -> bool:  # noqa: ANN401 - JSON
    """Whether a JSON value is what the schema describes."""
    for keyword, argument in schema.items():
        if keyword in _NOTES:
            continue
        kind, holds = _RULES[keyword]
        if _TYPES[kind](value) and not holds(value, argument):
            return False
    return _typed(value, schema) and _one_of(value, schema) and _others(value, schema)


def _typed(value: Any, schema: Schema) -> bool:  # noqa: ANN401
    kinds = schema.get("type", list(_TYPES))
    return any(_TYPES[kind](value) for kind in ([kinds] if isinstance(kinds, str) else kinds))


def _one_of(value: Any, schema: Schema) -> bool:  # noqa: ANN401
    choices = schema.get("oneOf")
    return choices is None or sum(valid(value, choice) for choice in choices) == 1


def _others(value: Any, schema: Schema) -> bool:  # noqa: ANN401
    others = schema.get("additionalProperties", True)
    if others is True or not isinstance(value, dict):
        return True
    return all(valid(value[name], others) for name in value)
