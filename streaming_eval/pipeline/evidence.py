"""Which samples are the evidence for an alert."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from streaming_eval.adapters.tables import Tables
from streaming_eval.pipeline.score_rows import instant
from streaming_eval.records import ALL_SEGMENTS, OTHER, SeriesKey

SHOWN = 20


def worst_samples(
    tables: Tables,
    key: SeriesKey,
    began_ms: int,
    *,
    higher_is_better: bool,
    allowed: Sequence[str] = (),
    models: Sequence[str] = (),
) -> list[str]:
    """Ids of the samples of a series since `began_ms` that scored worst, at most `SHOWN`.

    Args:
        tables: holds `scores`.
        key: the series; of a paired one the difference counts.
        began_ms: start of the period, event time, epoch milliseconds.
        higher_is_better: direction of the scorer.
        allowed: values of the series' segment that are not `__other__`.
        models: models that are not `__other__`.
    """
    began = instant(began_ms)
    filters: list[tuple[str, str, object]] = [
        ("event_date", ">=", began.date()),
        ("event_time", ">=", began),
        ("model", "not in", list(models)) if key.model == OTHER else ("model", "=", key.model),
        ("scorer", "=", key.scorer),
        ("evaluation_version", "=", key.evaluation_version),
    ]
    rows = tables.read("scores", ["sample_id", "segments", "value", "paired_values"], filters)
    rows = rows.filter(_in_segment(rows, key.segment, allowed))
    value = rows["value"]
    if key.against:
        value = pc.subtract(value, pc.map_lookup(rows["paired_values"], key.against, "first"))
    ranked = pa.table({"id": rows["sample_id"], "value": value}).filter(pc.is_valid(value))
    order = "ascending" if higher_is_better else "descending"
    worst = ranked.sort_by([("value", order), ("id", "ascending")]).slice(0, SHOWN)
    return [str(i) for i in worst["id"].to_pylist()]


def _in_segment(rows: pa.Table, segment: str, allowed: Sequence[str]) -> pa.ChunkedArray | pa.Array:
    if segment == ALL_SEGMENTS:
        return pa.repeat(pa.scalar(True), rows.num_rows)
    name, _, wanted = segment.partition("=")
    value = pc.map_lookup(rows["segments"], name, "first")
    if wanted == OTHER:
        inside = pc.invert(pc.is_in(value, pa.array(allowed, pa.string())))
        return pc.and_(pc.is_valid(value), inside)
    return pc.fill_null(pc.equal(value, wanted), False)
