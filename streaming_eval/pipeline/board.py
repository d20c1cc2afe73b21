"""What is known of every live series: kept by the driver, shown by the exporter."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from streaming_eval.adapters.tables import Tables
from streaming_eval.pipeline.attributions import OpenAlerts
from streaming_eval.pipeline.estimate import Estimate
from streaming_eval.pipeline.score_rows import instant
from streaming_eval.records import SeriesKey
from streaming_eval.snapshot import CulpritView, EstimateView, Promises, QuantileView, Snapshot

_COLUMNS = [
    "series_key", "window", "window_start", "n", "mean", "lower", "upper", "baseline_mean",
    "effect", "effect_lower", "effect_upper", "log_evidence", "log_threshold", "state", "missing",
    "baseline_missing", "updated_at", "drift_log_evidence", "drift_log_threshold", "drift_state",
    "drift_cells", "quantiles",
]  # fmt: skip


class Board:
    """The newest estimate of every series and window; quiet series are taken off.

    Args:
        promises: what the numbers guarantee.
        forget_after_ms: a series with no new score for that long vanishes.
    """

    def __init__(self, promises: Promises, forget_after_ms: int) -> None:
        self._promises, self._forget_after_ms = promises, forget_after_ms
        self._newest: dict[tuple[SeriesKey, str], tuple[int, EstimateView]] = {}
        self._culprits: tuple[CulpritView, ...] = ()

    def update(self, estimates: Iterable[Estimate], now_ms: int) -> None:
        """Puts estimates up, each in place of an older window's."""
        for e in estimates:
            self._put(e.window_start_ms or 0, _view(e, now_ms))

    def attribute(self, culprits: Iterable[CulpritView]) -> None:
        """Puts up what open alerts are put down to, in place of all earlier verdicts."""
        self._culprits = tuple(culprits)

    def restore(self, tables: Tables, now_ms: int) -> None:
        """Fills the board with what an earlier run published and nobody has forgotten yet."""
        since = instant(now_ms - self._forget_after_ms)
        rows = tables.read(
            "estimates",
            _COLUMNS,
            [("updated_date", ">=", since.date()), ("updated_at", ">=", since)],
        ).sort_by("updated_at")
        for row in _newest_rows(rows).to_pylist():
            start = row["window_start"]
            self._put(0 if start is None else _ms(start), _restored(row))
        self.attribute(OpenAlerts.of(tables.read("alerts").to_pylist()).culprits())

    def snapshot(self, now_ms: int) -> Snapshot:
        """Everything that is alive at `now_ms`."""
        oldest_ms = now_ms - self._forget_after_ms
        self._newest = {
            k: (start, view) for k, (start, view) in self._newest.items()
            if view.updated_ms >= oldest_ms
        }  # fmt: skip
        views = tuple(view for _, view in self._newest.values())
        alive = {view.key for view in views}
        return Snapshot(self._promises, views, tuple(c for c in self._culprits if c.key in alive))

    def _put(self, start_ms: int, view: EstimateView) -> None:
        place = (view.key, view.window)
        if place not in self._newest or self._newest[place][0] <= start_ms:
            self._newest[place] = (start_ms, view)


def _newest_rows(rows: pa.Table) -> pa.Table:
    """The last row of each (series, window, window start), in the order given."""
    numbered = rows.append_column("row", pa.array(range(rows.num_rows), pa.int64()))
    last = numbered.group_by(["series_key", "window", "window_start"]).aggregate([("row", "max")])
    return rows.take(last["row_max"])


def _view(e: Estimate, now_ms: int) -> EstimateView:
    return EstimateView(
        key=e.key,
        window=e.window,
        n=e.n,
        mean=e.mean,
        lower=e.lower,
        upper=e.upper,
        baseline_mean=e.baseline_mean,
        effect=e.effect,
        effect_lower=e.effect_lower,
        effect_upper=e.effect_upper,
        log_evidence=e.log_evidence,
        log_threshold=e.log_threshold,
        state=e.state.value,
        missing=e.missing,
        baseline_missing=e.baseline_missing,
        updated_ms=now_ms,
        drift_log_evidence=None if e.drift is None else e.drift.log_evidence,
        drift_log_threshold=None if e.drift is None else e.drift.log_threshold,
        drift_state=None if e.drift is None else e.drift.state.value,
        drift_cells=() if e.drift is None else e.drift.cells,
        quantiles=tuple(QuantileView(q.p, q.value, q.lower, q.upper) for q in e.quantiles),
    )


def _restored(row: Mapping[str, Any]) -> EstimateView:
    shared = {name: row[name] for name in EstimateView.__dataclass_fields__ if name in row}
    return EstimateView(
        **shared
        | {
            "drift_cells": tuple(row["drift_cells"] or ()),
            "quantiles": tuple(QuantileView(**q) for q in row["quantiles"] or ()),
        },
        key=SeriesKey.parse(str(row["series_key"])),
        updated_ms=_ms(row["updated_at"]),
    )


def _ms(moment: dt.datetime) -> int:
    return round(moment.timestamp() * 1_000)
