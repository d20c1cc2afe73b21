"""Centroids as a file: made once from vectors of the past, named in a configuration."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from streaming_eval.errors import SettingsError
from streaming_eval.stats.centroids import CentroidCells, Vectors

_FORMAT = "streaming-eval-centroids/1"
MOST_CELLS = 64


@dataclass(frozen=True, slots=True)
class Origin:
    """What vectors are of: centroids of other vectors mean nothing.

    Attributes:
        model: as its endpoint calls it.
        revision: the operator's tag for its version.
        parameters: JSON values that were sent with every text.
        text: what was embedded, `prompt` or `response`.
    """

    model: str
    revision: str
    parameters: Mapping[str, object]
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Centroids:
    """What a file holds.

    Attributes:
        digest: SHA-256 of the file, its first 16 hexadecimal digits.
    """

    cells: CentroidCells
    digest: str


def write_centroids(path: Path, cells: CentroidCells, origin: Origin, vectors: int) -> str:
    """Writes a file and returns its digest; equal centroids make equal files.

    Args:
        path: of the file; one that is there is an error.
        cells: of directions.
        origin: of the vectors.
        vectors: how many there were.

    Raises:
        SettingsError: the file is there already, or cannot be written.
    """
    document = {
        "format": _FORMAT,
        "origin": {
            "model": origin.model,
            "revision": origin.revision,
            "parameters": dict(origin.parameters),
            "text": origin.text,
        },
        "vectors": vectors,
        "centroids": cells.centroids,
    }
    options = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_SORT_KEYS
    content = orjson.dumps(document, option=options)
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        wrong = f"{path} is there already; series that use it would lose what they compare with"
        raise SettingsError(f"{wrong}: choose another name") from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}") from None
    return _digest(content)


def read_centroids(path: Path, origin: Origin) -> Centroids:
    """The centroids in a file.

    Raises:
        SettingsError: it cannot be read, was not written by `write_centroids`, or has centroids of
            vectors of another origin.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    try:
        document = orjson.loads(content)
        found, cells = _origin(document), CentroidCells(_vectors(document))
    except (KeyError, TypeError, ValueError):
        made = "`streaming-eval centroids fit` makes one"
        raise SettingsError(f"{path} is no file of centroids; {made}") from None
    if found != origin:
        wrong = f"has centroids of {_words(found)}, and this scorer asks for {_words(origin)}"
        raise SettingsError(f"{path} {wrong}")
    return Centroids(cells, _digest(content))


def _origin(document: Mapping[str, Any]) -> Origin:
    if document["format"] != _FORMAT:
        raise ValueError("another format")
    return Origin(**document["origin"])


def _vectors(document: Mapping[str, Any]) -> Vectors:
    vectors = np.asarray(document["centroids"], np.float32)
    if vectors.ndim != 2 or len(vectors) > MOST_CELLS or not np.isfinite(vectors).all():
        raise ValueError("no centroids")
    return vectors


def _words(origin: Origin) -> str:
    parameters = orjson.dumps(dict(origin.parameters), option=orjson.OPT_SORT_KEYS).decode()
    revision = f" revision {origin.revision}" if origin.revision else ""
    return f"{origin.text}s by {origin.model}{revision} with {parameters}"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
