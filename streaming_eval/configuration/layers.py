"""Flags over environment over file: merged into one tree that remembers where each value is from.

pydantic-settings would merge them too, but cannot say which line or variable a wrong value stands
in, lowers the case of every name and passes over misspelt variables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from streaming_eval.configuration.document import Document, YamlError, parse_document
from streaming_eval.configuration.schema import keys_at, schema_at
from streaming_eval.errors import SettingsError
from streaming_eval.settings.fields import Path as KeyPath
from streaming_eval.settings.fields import dotted

ENVIRONMENT_PREFIX = "STREAMING_EVAL_"
NESTED = "__"
OPENAI_URL = "https://api.openai.com/v1"

_NOT_A_WORD = re.compile(r"[^a-z0-9]")


@dataclass
class Layers:
    """The merged values and, for each that a layer above the file has set, the name of its source.

    Attributes:
        file: what a message calls the file.
        values: the tree so far.
        lines: as in `Document`.
        sources: path to flag or variable.
    """

    file: Path
    values: dict[str, object]
    lines: dict[KeyPath, int] = field(default_factory=dict)
    sources: dict[KeyPath, str] = field(default_factory=dict)

    def set(self, path: KeyPath, value: object, source: str) -> None:
        """Put a value at a path, in place of what stood there.

        Raises:
            SettingsError: the path leads through a list that has no such position.
        """
        for known in (self.lines, self.sources):
            for below in [at for at in known if at[: len(path)] == path]:
                del known[below]
        self.sources[path] = source
        node: object = self.values
        for part in path[:-1]:
            node = _made(node, part)
        listed = isinstance(node, list) and isinstance(path[-1], int)
        if not isinstance(node, dict) and not listed:
            allowed = "positions from 0 of a list that the file has, or the whole list as JSON"
            raise SettingsError(f"{source}: {dotted(path)}: no such place; allowed: {allowed}")
        cast(dict[str | int, object], node)[path[-1]] = value

    def where(self, path: KeyPath) -> str:
        """The flag, variable or `file:line` that set a path or, failing that, what is above it."""
        above = self._nearest(path)
        if above in self.sources:
            return self.sources[above]
        return f"{self.file}:{self.lines[above]}" if above in self.lines else str(self.file)

    def line(self, path: KeyPath) -> int:
        """The line of a path in the file; 0 for what is not from the file."""
        return self.lines.get(self._nearest(path), 0)

    def _nearest(self, path: KeyPath) -> KeyPath:
        """What is known of a path: itself, else what made it by being set inside, else above it."""
        known = self.sources.keys() | self.lines.keys()
        inside = (at for at in self.sources if at[: len(path)] == path and path not in known)
        above = (path[:n] for n in range(len(path), 0, -1) if path[:n] in known)
        return (*inside, *above, ())[0]


def merge(
    file: Path, document: Document, overrides: Mapping[str, str], environ: Mapping[str, str]
) -> Layers:
    """All layers on top of each other.

    Args:
        file: for messages.
        document: the file's content; a mapping, or None when it is empty.
        overrides: dotted key to text, from flags.
        environ: variables, of which those with our prefix and four that others use are read.
    """
    values = document.values if isinstance(document.values, dict) else {}
    layers = Layers(file, values, document.lines)
    ours = [name for name in environ if name.startswith(ENVIRONMENT_PREFIX)]
    for name in sorted(ours, key=lambda name: (name.count(NESTED), name)):
        words = name.removeprefix(ENVIRONMENT_PREFIX).lower().split(NESTED)
        path = _path(words, layers.values)
        # Kubernetes sets STREAMING_EVAL_PORT and the like for a service of our name.
        if len(path) > 1 or path[0] in keys_at(()):
            layers.set(path, _typed(path, environ[name]), name)
    for key, text in overrides.items():
        path = _path(key.split("."), layers.values)
        layers.set(path, _typed(path, text), f"--set {key}")
    _fill_from_common_variables(layers, environ)
    return layers


def _made(node: object, part: str | int) -> object:
    """The inner node at a key or position; a key without one gets a section."""
    if isinstance(node, dict):
        if not isinstance(node.get(part), dict | list):
            node[part] = {}
        return node[part]
    return node[part] if isinstance(node, list) and isinstance(part, int) else None


def _path(words: Sequence[str], values: object) -> KeyPath:
    """The path that words mean among these values: `my_vllm` finds an endpoint `My-vLLM`."""
    path: KeyPath = ()
    for word in words:
        part: str | int = word
        if isinstance(values, list) and word.isdecimal() and int(word) < len(values):
            part = int(word)
            values = values[part]
        elif isinstance(values, dict):
            loose = (key for key in values if _NOT_A_WORD.sub("_", key.lower()) == word)
            part = word if word in values else next(loose, word)
            values = values.get(part)
        path = (*path, part)
    return path


def _typed(path: KeyPath, text: str) -> object:
    """The text itself where text is wanted, else what it means as YAML, so also as JSON."""
    if (schema_at(path) or {}).get("type") == "string":
        return text
    try:
        return parse_document(text).values
    except YamlError:
        return text


def _fill_from_common_variables(layers: Layers, environ: Mapping[str, str]) -> None:
    """Defaults that other tools' variables give: never over anything that was set for this job."""
    brokers = environ.get("KAFKA_BOOTSTRAP_SERVERS")
    kafka = layers.values.get("kafka", {})
    if brokers and isinstance(kafka, dict) and "bootstrap_servers" not in kafka:
        layers.set(("kafka", "bootstrap_servers"), brokers, "KAFKA_BOOTSTRAP_SERVERS")
    endpoints = layers.values.get("endpoints")
    for name, endpoint in endpoints.items() if isinstance(endpoints, dict) else ():
        if isinstance(endpoint, dict):
            _fill_endpoint(layers, ("endpoints", name), endpoint, environ)


def _fill_endpoint(
    layers: Layers, path: KeyPath, endpoint: Mapping[str, object], environ: Mapping[str, str]
) -> None:
    url = environ.get("OPENAI_BASE_URL")
    if url and "base_url" not in endpoint:
        layers.set((*path, "base_url"), url, "OPENAI_BASE_URL")
    # The key is sent nowhere but to the address it belongs to.
    home = str(endpoint.get("base_url")).rstrip("/") == (url or OPENAI_URL).rstrip("/")
    named = {"api_key_env", "api_key_file"} & endpoint.keys()
    if home and not named and environ.get("OPENAI_API_KEY"):
        layers.set((*path, "api_key_env"), "OPENAI_API_KEY", "OPENAI_API_KEY")
