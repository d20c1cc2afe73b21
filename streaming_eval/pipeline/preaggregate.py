"""Scores to level counts per (series, pane), vectorised, before any stateful step sees them.

Pure Arrow in, Arrow out. A micro-batch of any size becomes one row per series and pane, so the
state step's cost depends on the number of series, not of samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streaming_eval.adapters.schemas import SCORES
from streaming_eval.pipeline.sample_hash import hash_ids
from streaming_eval.pipeline.score_cells import ALONE, MISSING, ScoreCells, clusters_of
from streaming_eval.pipeline.segment_mix import mix_rows
from streaming_eval.pipeline.series_layout import SeriesLayout
from streaming_eval.records import ALL_SEGMENTS, JUDGE, OTHER
from streaming_eval.stats.levels import Scale, mixed

__all__ = ["MISSING", "PANE_COUNTS", "READ", "pane_counts"]

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
    "weight",
    "cluster",
    "first_of_cluster",
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


def pane_counts(
    batches: Iterable[pa.RecordBatch], layout: SeriesLayout
) -> Iterator[pa.RecordBatch]:
    """One row per (series, pane) of all `batches`: sparse cells and how many scores lie in each.

    Cell -1 counts missing scores (failed or unparsable). A cluster of samples counts once, where it
    first appeared; its scores there must all lie in one call's `batches`, as those of a commit do.
    Rounding depends on the scorer and the id of sample or cluster alone, so a replay repeats it.
    `newest` is the newest event time of the whole input and the same in every row, so that the
    engine's watermark advances but never drops a row: which panes are late is decided where they
    can be counted.
    """
    some = [_complete(batch) for batch in batches if batch.num_rows]
    if not some:
        return
    table = _hashed(pa.Table.from_batches(some))
    counting = table.filter(pc.fill_null(table["first_of_cluster"], True))
    parts = [part for key in layout.scales for part in _scorer_parts(counting, key, layout)]
    parts += _mix_parts(counting, layout)
    if not parts:
        return
    yield from _grouped(pa.concat_tables(parts), _newest(table)).to_batches()


def _mix_parts(table: pa.Table, layout: SeriesLayout) -> list[pa.Table]:
    models = pa.array(layout.production, pa.string())
    rows = table.filter(pc.is_in(table["model"], models))
    return mix_rows(rows, _panes(rows, layout), _HASH, layout.mixes)


def _complete(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with every column of `READ`: files of an earlier version lack the newest."""
    if batch.num_columns == len(READ):
        return batch
    nulls = ((name, pa.nulls(batch.num_rows, SCORES.field(name).type)) for name in READ)
    return pa.record_batch(
        {name: batch[name] if name in batch.schema.names else null for name, null in nulls}
    )


def _hashed(table: pa.Table) -> pa.Table:
    """The table with one hash per row, of its cluster or else of its sample."""
    ids = pc.dictionary_encode(table["sample_id"].combine_chunks())  # each is hashed once
    of_sample = pa.array(hash_ids(ids.dictionary.to_pylist())[ids.indices.to_numpy()])
    of_cluster = table["cluster"].combine_chunks().view(pa.uint64())
    return table.append_column(_HASH, pc.coalesce(of_cluster, of_sample))


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
    named = pc.and_(
        pc.equal(table["scorer"], scorer), pc.equal(table["evaluation_version"], version)
    )
    if scorer in layout.anchored:  # no sample's model may pass for the judge's
        named = pc.and_(named, pc.equal(table["model"], JUDGE))
    mine = table.filter(named)
    if not mine.num_rows:
        return
    scale, salt = layout.scales[key], int(hash_ids([scorer])[0])
    own = _cells(mine, mine["value"], scale, salt, layout)
    own = replace(own, categories=scorer in layout.categories)
    yield from _by_segment(mine, own, "", key, layout)
    for candidate, others in layout.pairs.items():
        of_candidate = mine.filter(pc.equal(mine["model"], candidate))
        for other in others if of_candidate.num_rows else ():
            theirs = pc.map_lookup(of_candidate["paired_values"], pa.scalar(other), "first")
            answered = of_candidate.filter(pc.is_valid(theirs))
            difference = pc.subtract(answered["value"], pc.drop_null(theirs))
            cells = _cells(answered, difference, scale.difference(), salt, layout)
            yield from _by_segment(answered, cells, other, key, layout)


def _cells(
    table: pa.Table, values: pa.ChunkedArray, scale: Scale, salt: int, layout: SeriesLayout
) -> ScoreCells:
    cluster = table["cluster"]
    model = pc.index_in(table["model"], pc.unique(table["model"])).to_numpy().astype(np.int64)
    clusters = clusters_of(
        model,
        pc.fill_null(cluster, 0).to_numpy(),
        _panes(table, layout),
        known=pc.is_valid(cluster).to_numpy(),
    )
    weights = pc.fill_null(table["weight"], 1.0).to_numpy()
    return ScoreCells(
        values=pc.fill_null(values, np.nan).to_numpy(),
        weights=weights if layout.max_weight > 1.0 else np.ones(table.num_rows),
        hashes=mixed(table[_HASH].to_numpy(), salt),
        clusters=clusters,
        scale=scale,
        grid=layout.grid(scale),
    )


def _panes(table: pa.Table, layout: SeriesLayout) -> np.ndarray:
    event_ms = pc.cast(pc.cast(table["event_time"], pa.timestamp("ms"), safe=False), pa.int64())
    panes: np.ndarray = event_ms.to_numpy() // layout.pane_ms * layout.pane_ms
    return panes


def _by_segment(
    table: pa.Table, cells: ScoreCells, against: str, key: tuple[str, str], layout: SeriesLayout
) -> Iterator[pa.Table]:
    n = table.num_rows
    if not n:
        return
    models = pa.array(layout.models_of(key[0]))
    model = pc.if_else(pc.is_in(table["model"], models), table["model"], OTHER)
    base = pa.table(
        {
            "model": model,
            "segment": pa.array([ALL_SEGMENTS] * n, pa.string()),
            "scorer": pa.array([key[0]] * n, pa.string()),
            "evaluation_version": pa.array([key[1]] * n, pa.string()),
            "against": pa.array([against] * n, pa.string()),
            "pane_ms": _panes(table, layout),
        }
    )
    yield _counted(base, np.arange(n), cells)
    for name, allowed in layout.segments.items():
        value = pc.map_lookup(table["segments"], pa.scalar(name), "first")
        bounded = pc.if_else(pc.is_in(value, pa.array(allowed, pa.string())), value, OTHER)
        label = pc.binary_join_element_wise(pa.scalar(name), bounded, "=")
        of_segment = base.set_column(1, "segment", label)
        present = pc.is_valid(value).to_numpy()
        for rows in _alike(bounded, present, cells):
            yield _counted(of_segment, rows, cells)


def _alike(
    bounded: pa.ChunkedArray, present: np.ndarray, cells: ScoreCells
) -> Iterator[np.ndarray]:
    """Rows that may be counted together: all present, or value by value where clusters meet."""
    if (cells.clusters == ALONE).all():
        yield np.flatnonzero(present)
        return
    codes = pc.index_in(bounded, pc.unique(bounded)).to_numpy()
    for code in np.unique(codes[present]):
        yield np.flatnonzero(present & (codes == code))


def _counted(base: pa.Table, rows: np.ndarray, cells: ScoreCells) -> pa.Table:
    chosen, placed = cells.of(rows)
    return base.take(pa.array(chosen)).append_column("level", pa.array(placed))


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
