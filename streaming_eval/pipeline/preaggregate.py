"""Scores to level counts per (series, pane), vectorised, before any stateful step sees them.

Pure Arrow in, Arrow out. A micro-batch of any size becomes one row per series and pane, so the
state step's cost depends on the number of series, not of samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streaming_eval.pipeline.sample_hash import Ids, hash_ids
from streaming_eval.records import ALL_SEGMENTS, OTHER
from streaming_eval.stats.levels import Scale, mixed, to_levels, uniforms

MISSING = -1
_GROUP = ["model", "segment", "scorer", "evaluation_version", "against", "pane_ms"]
_PARTS = _GROUP[:-1]
_HASH = "sample_hash"

READ = (
    "sample_id",
    "model",
    "scorer",
    "evaluation_version",
    "event_time",
    "scored_at",
    "segments",
    "value",
    "paired_values",
)

PANE_COUNTS = pa.schema(
    [
        ("series_key", pa.string()),
        ("pane_ms", pa.int64()),
        ("levels", pa.list_(pa.int64())),
        ("counts", pa.list_(pa.int64())),
        ("newest", pa.timestamp("us", tz="UTC")),
    ]
)


@dataclass(frozen=True, slots=True)
class SeriesLayout:
    """Which series exist: everything bounded by the operator's configuration.

    Attributes:
        scales: (scorer, evaluation version) to the scorer's scale; other scores are passed over.
        models: names that keep their own series; any other model counts as `__other__`.
        segments: segment name to its allowed values; any other value counts as `__other__`.
        pairs: candidate to the models whose score on the same sample is subtracted.
    """

    scales: Mapping[tuple[str, str], Scale]
    models: tuple[str, ...]
    segments: Mapping[str, tuple[str, ...]]
    pairs: Mapping[str, tuple[str, ...]]
    pane_ms: int


def pane_counts(
    batches: Iterable[pa.RecordBatch], layout: SeriesLayout
) -> Iterator[pa.RecordBatch]:
    """One row per (series, pane) of all `batches`: sparse levels and how many scores lie on each.

    Level -1 counts missing scores (failed or unparsable). Rounding depends on the sample's id and
    the scorer alone, so a replay repeats it. `newest` is the newest event time of the whole input
    and the same in every row, so that the engine's watermark advances but never drops a row: which
    panes are late is decided where they can be counted.
    """
    some = [batch for batch in batches if batch.num_rows]
    if not some:
        return
    table = _hashed(pa.Table.from_batches(some))
    parts = [part for key in layout.scales for part in _scorer_parts(table, key, layout)]
    if not parts:
        return
    yield from _grouped(pa.concat_tables(parts), _newest(table)).to_batches()


def _hashed(table: pa.Table) -> pa.Table:
    """The table with one hash per row; each distinct id is hashed once."""
    ids = pc.dictionary_encode(table["sample_id"].combine_chunks())
    hashes = hash_ids(ids.dictionary.to_pylist())
    return table.append_column(_HASH, pa.array(hashes[ids.indices.to_numpy()]))


def _newest(table: pa.Table) -> pa.Scalar:
    """The newest event time, but no later than the newest sample was scored.

    A producer whose clock is ahead, within the allowed skew, must not make everybody else late.
    """
    newest, scored = pc.max(table["event_time"]), pc.max(table["scored_at"])
    return min(newest, scored, key=lambda moment: moment.value)


def _scorer_parts(
    table: pa.Table, key: tuple[str, str], layout: SeriesLayout
) -> Iterator[pa.Table]:
    scorer, version = key
    mine = table.filter(
        pc.and_(pc.equal(table["scorer"], scorer), pc.equal(table["evaluation_version"], version))
    )
    if not mine.num_rows:
        return
    scale = layout.scales[key]
    salt = int(hash_ids([scorer])[0])
    own = _levels(mine["value"], scale, mixed(mine[_HASH].to_numpy(), salt))
    yield from _by_segment(mine, own, "", key, layout)
    for candidate, others in layout.pairs.items():
        of_candidate = mine.filter(pc.equal(mine["model"], candidate))
        for other in others if of_candidate.num_rows else ():
            theirs = pc.map_lookup(of_candidate["paired_values"], pa.scalar(other), "first")
            answered = of_candidate.filter(pc.is_valid(theirs))
            difference = pc.subtract(answered["value"], pc.drop_null(theirs))
            hashes = mixed(answered[_HASH].to_numpy(), salt)
            levels = _levels(difference, scale.difference(), hashes)
            yield from _by_segment(answered, levels, other, key, layout)


def _levels(values: pa.ChunkedArray, scale: Scale, hashes: Ids) -> np.ndarray:
    known = pc.is_valid(values).to_numpy()
    levels = np.full(len(known), MISSING, dtype=np.int64)
    numbers = pc.drop_null(values).to_numpy()
    levels[known] = to_levels(numbers, scale, uniforms(hashes[known]))
    return levels


def _by_segment(
    table: pa.Table, levels: np.ndarray, against: str, key: tuple[str, str], layout: SeriesLayout
) -> Iterator[pa.Table]:
    n = table.num_rows
    if not n:
        return
    event_ms = pc.cast(pc.cast(table["event_time"], pa.timestamp("ms"), safe=False), pa.int64())
    panes = event_ms.to_numpy() // layout.pane_ms * layout.pane_ms
    model = pc.if_else(pc.is_in(table["model"], pa.array(layout.models)), table["model"], OTHER)
    base = pa.table(
        {
            "model": model,
            "segment": pa.array([ALL_SEGMENTS] * n, pa.string()),
            "scorer": pa.array([key[0]] * n, pa.string()),
            "evaluation_version": pa.array([key[1]] * n, pa.string()),
            "against": pa.array([against] * n, pa.string()),
            "pane_ms": panes,
            "level": levels,
        }
    )
    yield base
    for name, allowed in layout.segments.items():
        value = pc.map_lookup(table["segments"], pa.scalar(name), "first")
        present = pc.is_valid(value)
        bounded = pc.if_else(pc.is_in(value, pa.array(allowed, pa.string())), value, OTHER)
        label = pc.binary_join_element_wise(pa.scalar(name), bounded, "=")
        yield base.set_column(1, "segment", label).filter(present)


def _grouped(rows: pa.Table, newest: pa.Scalar) -> pa.Table:
    counted = rows.group_by([*_GROUP, "level"]).aggregate([([], "count_all")])
    panes = counted.group_by(_GROUP).aggregate([("level", "list"), ("count_all", "list")])
    return pa.table(
        [
            _series_keys(panes),
            panes["pane_ms"],
            panes["level_list"],
            panes["count_all_list"],
            pa.repeat(newest, panes.num_rows),
        ],
        schema=PANE_COUNTS,
    )


def _series_keys(panes: pa.Table) -> pa.ChunkedArray:
    """`str(SeriesKey(...))` of each row."""
    escaped = (
        pc.replace_substring(pc.replace_substring(panes[part], "\\", "\\\\"), "|", "\\p")
        for part in _PARTS
    )
    return pc.binary_join_element_wise(*escaped, "|")
