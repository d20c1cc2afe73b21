"""Secrets are named in the configuration and read when they are needed; here is how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from streaming_eval.errors import SettingsError
from streaming_eval.settings import Problem, Settings
from streaming_eval.settings.fields import Path as KeyPath
from streaming_eval.settings.fields import looks_secret

MASK = "***"


def resolve(text: str, environ: Mapping[str, str]) -> str:
    """The value that `env:NAME` or `file:PATH` stands for; other text stands for itself.

    Raises:
        SettingsError: the variable is not set, or the file cannot be read, or either is empty.
    """
    kind, _, name = text.partition(":")
    if kind == "env" and name:
        return from_variable(name, environ)
    return from_file(Path(name)) if kind == "file" and name else text


def from_variable(name: str, environ: Mapping[str, str]) -> str:
    """The secret in an environment variable."""
    if not environ.get(name):
        raise SettingsError(f"environment variable {name} is not set")
    return environ[name]


def from_file(path: Path) -> str:
    """The secret in a file, without the white space around it."""
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text in UTF-8"
        raise SettingsError(f"file {path} cannot be read: {reason}") from None
    if not secret:
        raise SettingsError(f"file {path} is empty")
    return secret


def missing_secrets(settings: Settings, environ: Mapping[str, str]) -> list[Problem]:
    """A problem for each secret that is named and is not there."""
    references: list[tuple[KeyPath, str]] = [
        (("kafka", "security", key), text) for key, text in settings.kafka.security.items()
    ]
    for name, endpoint in settings.endpoints.items():
        if endpoint.api_key_env:
            references.append((("endpoints", name, "api_key_env"), f"env:{endpoint.api_key_env}"))
        if endpoint.api_key_file:
            path: KeyPath = ("endpoints", name, "api_key_file")
            references.append((path, f"file:{endpoint.api_key_file}"))
    return list(_failures(references, environ))


def _failures(
    references: list[tuple[KeyPath, str]], environ: Mapping[str, str]
) -> Iterator[Problem]:
    for path, reference in references:
        try:
            resolve(reference, environ)
        except SettingsError as error:
            yield Problem(path, str(error), "a variable that is set, a file that can be read")


def masked(value: object, key: str = "") -> object:
    """The same values with every literal secret replaced; references stay."""
    if isinstance(value, Mapping):
        return {name: masked(inner, str(name)) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [masked(inner, key) for inner in value]
    reference = str(value).startswith(("env:", "file:"))
    return MASK if looks_secret(key) and value is not None and not reference else value
