"""From what pydantic found to lines a person can act on: where, which key, what is allowed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from streaming_eval.configuration.layers import Layers
from streaming_eval.configuration.schema import allowed, keys_at, schema_at
from streaming_eval.settings import InconsistentError, Problem
from streaming_eval.settings.fields import Path as KeyPath
from streaming_eval.settings.fields import did_you_mean, dotted, looks_secret

_KEY_MARK = "[key]"
_LONGEST_SHOWN = 60
_CREDENTIALS = re.compile(r"(?<=//)[^/\s]*(?=@)|(?<=[?#]).*")


def problems_in(error: ValidationError) -> Iterator[Problem]:
    """Every problem that a validation has found, in its order."""
    errors = error.errors(include_url=False)
    inner = {e["loc"][:n] for e in errors for n in range(len(e["loc"]))}
    for found in errors:
        # Pydantic counts only valid items, so a list with a wrong one would be called empty too.
        if found["type"] != "too_short" or found["loc"] not in inner:
            yield from _problems(found)


def _problems(found: Any) -> Iterator[Problem]:  # noqa: ANN401 - pydantic's error records are open
    path: KeyPath = tuple(part for part in found["loc"] if part != _KEY_MARK)
    cause = found.get("ctx", {}).get("error")
    if isinstance(cause, InconsistentError):
        for problem in cause.problems:
            yield Problem((*path, *problem.path), problem.message, problem.allowed)
    elif found["type"] == "json_invalid":
        yield Problem(
            (), "text that is not Unicode, or nested too deeply", "text, at most 100 deep"
        )
    elif found["type"] == "extra_forbidden":
        yield _unknown_key(path)
    else:
        yield Problem(path, _message(found, path), _allowed(found, path))


def _unknown_key(path: KeyPath) -> Problem:
    keys = keys_at(path[:-1])
    return Problem(path, f"unknown key{did_you_mean(str(path[-1]), keys)}", ", ".join(keys))


def _message(found: Any, path: KeyPath) -> str:  # noqa: ANN401 - as above
    if found["type"] == "missing":
        return "is required and missing"
    if found["type"] == "too_short":
        return "is empty"
    if _KEY_MARK in found["loc"]:
        return "is not a name"
    choices = (schema_at(path) or {}).get("enum", [])
    return f"got {shown(found['input'], path)}{did_you_mean(str(found['input']), choices)}"


def _allowed(found: Any, path: KeyPath) -> str:  # noqa: ANN401 - as above
    schema = schema_at(path[:-1] if _KEY_MARK in found["loc"] else path) or {}
    return allowed(schema.get("propertyNames", {}) if _KEY_MARK in found["loc"] else schema)


def shown(value: object, path: KeyPath) -> str:
    """A wrong value as a message may show it: short, and never a secret.

    >>> shown("a" * 100, ("job",)), shown("hunter2", ("kafka", "security", "sasl.password"))
    ('text of 100 characters', 'a secret')
    """
    if any(looks_secret(str(part).removesuffix("_env")) for part in path):
        return "a secret" if isinstance(value, str) else type(value).__name__
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    if value is None or isinstance(value, bool):
        return "nothing" if value is None else str(value).lower()
    if isinstance(value, str) and len(value) > _LONGEST_SHOWN:
        return f"text of {len(value)} characters"
    return repr(_CREDENTIALS.sub("***", value) if isinstance(value, str) else value)


def line(layers: Layers, problem: Problem) -> str:
    """`file:line: key.path: what is wrong; allowed: ...`."""
    where = dotted(problem.path) or "(the whole file)"
    end = f"; allowed: {problem.allowed}" if problem.allowed else ""
    return f"{layers.where(problem.path)}: {where}: {problem.message}{end}"
