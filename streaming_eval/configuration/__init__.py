"""From a file, the environment and flags to settings, or to every reason why not."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import yaml
from pydantic import ValidationError

from streaming_eval.configuration.document import Document, YamlError, read_document
from streaming_eval.configuration.explain import line, problems_in
from streaming_eval.configuration.layers import Layers, merge
from streaming_eval.configuration.schema import allowed, schema_at
from streaming_eval.configuration.secrets import masked, missing_secrets
from streaming_eval.errors import SettingsError
from streaming_eval.settings import Problem, Settings
from streaming_eval.settings.references import contradictions

__all__ = ["effective_yaml", "load_settings"]

_NO_OVERRIDES: Mapping[str, str] = MappingProxyType({})


def load_settings(
    path: Path,
    overrides: Mapping[str, str] = _NO_OVERRIDES,
    environ: Mapping[str, str] = os.environ,
    *,
    strict: bool = False,
) -> Settings:
    """The settings that flags, environment, file and defaults make, the first over the last.

    Args:
        path: YAML file.
        overrides: dotted key to text, from flags (`monitor.alpha` to `0.01`).
        environ: `STREAMING_EVAL_MONITOR__ALPHA` and the like. `KAFKA_BOOTSTRAP_SERVERS` and
            `OPENAI_BASE_URL` fill an address that nothing else gives; `OPENAI_API_KEY` is used
            for the endpoint at `OPENAI_BASE_URL` (or OpenAI's own) when that names no key.
        strict: whether every secret that is named must be there.

    Raises:
        SettingsError: one line for each problem: `file:line: key: what is wrong; allowed: ...`.
    """
    layers = merge(path, _read(path), overrides, environ)
    settings, problems = _validate(layers)
    if settings is not None and strict:
        problems = missing_secrets(settings, environ)
    if settings is None or problems:
        in_order = sorted(problems, key=lambda problem: layers.line(problem.path))
        raise SettingsError("\n".join(dict.fromkeys(line(layers, p) for p in in_order)))
    return settings


def effective_yaml(settings: Settings) -> str:
    """The settings with every default, as a file that loads to the same; secrets are masked."""
    values = masked(settings.model_dump(mode="json"))
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)


def _read(path: Path) -> Document:
    try:
        document = read_document(path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SettingsError(f"{path}: cannot be read: {reason}; allowed: a YAML file") from None
    except YamlError as error:
        raise SettingsError(f"{path}:{error.line}: {error.message}") from None
    if not isinstance(document.values, dict | None):
        keys = allowed(schema_at(()) or {})
        raise SettingsError(f"{path}:1: the file is not a mapping; allowed: {keys}")
    return document


def _validate(layers: Layers) -> tuple[Settings | None, list[Problem]]:
    try:
        # JSON's strict mode takes a path or a choice as text, but never "5" or true as a number.
        return Settings.model_validate_json(json.dumps(layers.values), strict=True), []
    except ValidationError as error:
        # Pydantic looks for contradictions only where all else is right; people want both at once.
        return None, [*problems_in(error), *contradictions(layers.values)]
