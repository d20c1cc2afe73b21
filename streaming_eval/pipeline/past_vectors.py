"""Vectors of the past, to fit centroids on: of texts that were scored and asked for then."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streaming_eval.adapters.centroid_file import Origin
from streaming_eval.adapters.tables import Tables
from streaming_eval.pipeline.frozen_baselines import Period
from streaming_eval.scoring.direction import Vector, direction
from streaming_eval.scoring.embedding_cell import EmbeddedText
from streaming_eval.stats.centroids import Vectors

_MOST = 20_000  # centroids of more hardly differ, and take a minute
_SEED = 0


def past_vectors(tables: Tables, origin: Origin, period: Period) -> Vectors:
    """Directions [n, d] of the texts that were embedded, as often as they occurred.

    Taken from `responses` for the scores of `embedding_cell`, and of `embedding_similarity` where
    responses are wanted, whose vectors have this origin. Of more than 20,000, as many are drawn;
    the same for the same tables. Vectors of another size than the first, or without a direction,
    are left out.

    Args:
        tables: of the job.
        origin: of the vectors.
        period: of the samples' event times.
    """
    versions = [
        row["evaluation_version"]
        for row in tables.read("evaluation_versions").to_pylist()
        if _of_this(json.loads(row["definition"]), origin)
    ]
    chosen = [("evaluation_version", "in", versions), *period.filters]
    keys = tables.read("scores", ["judge_cache_key"], chosen)["judge_cache_key"] if versions else []
    return _directions(tables, _drawn(keys), origin)


def _of_this(definition: Mapping[str, Any], origin: Origin) -> bool:
    scorer, asked = definition["scorer"], definition["request"]
    if asked is None:
        return False
    told = (asked["model"], asked["revision"], asked["parameters"])
    if told != (origin.model, origin.revision, dict(origin.parameters)):
        return False
    if scorer["kind"] == "embedding_similarity":
        return origin.text == EmbeddedText.RESPONSE
    return bool(scorer["kind"] == "embedding_cell" and scorer["parameters"]["text"] == origin.text)


def _drawn(keys: pa.ChunkedArray | list[str]) -> pa.Array:
    """Keys in order, whichever files they came from, and no more than are wanted."""
    known = pc.drop_null(pa.array(keys, pa.string()) if isinstance(keys, list) else keys)
    ordered = known.take(pc.sort_indices(known))
    if len(ordered) > _MOST:
        rng = np.random.default_rng(_SEED)
        ordered = ordered.take(pa.array(np.sort(rng.permutation(len(ordered))[:_MOST])))
    return ordered


def _directions(tables: Tables, keys: pa.Array | pa.ChunkedArray, origin: Origin) -> Vectors:
    answers = tables.read("responses", ["cache_key", "text"], [("model", "=", origin.model)])
    wanted = answers.filter(pc.is_in(answers["cache_key"], pa.array(keys.unique(), pa.string())))
    texts = dict(zip(*(wanted[name].to_pylist() for name in ("cache_key", "text")), strict=True))
    known = {key: direction(text) for key, text in texts.items()}
    return _alike([known.get(key) for key in keys.to_pylist()])


def _alike(found: list[Vector | None]) -> Vectors:
    usable = [vector for vector in found if vector is not None]
    size = usable[0].size if usable else 0
    alike = [vector for vector in usable if vector.size == size]
    return np.array(alike, np.float32).reshape(len(alike), size)
