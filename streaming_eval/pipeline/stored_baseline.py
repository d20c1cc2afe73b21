"""Baselines as they stand in their table: made by a person, or in force for a series."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from streaming_eval.adapters.schemas import BASELINES
from streaming_eval.alerting import Baseline, bounds
from streaming_eval.pipeline.monitor_rows import series_columns
from streaming_eval.pipeline.plan import MonitorPlan
from streaming_eval.pipeline.score_rows import instant
from streaming_eval.records import SeriesKey


@dataclass(frozen=True, slots=True)
class StoredBaseline:
    """A baseline that has been made, or has come into force; means on the scorer's own scale.

    Attributes:
        baseline: version 0 while it is not in force.
        seasonal: whether its counts are those of 24 hours of the day.
        lower_bound: None where each hour has its own.
        source: where its scores came from.
    """

    key: SeriesKey
    baseline: Baseline
    seasonal: bool
    mean: float
    lower_bound: float | None
    source: str

    @property
    def baseline_id(self) -> str:
        """Of one that the series collected itself, follows from the series and where it ends."""
        text = f"{self.key}|{self.baseline.end_ms}"
        return self.baseline.id or hashlib.sha256(text.encode()).hexdigest()[:16]


def stored_baseline(
    plan: MonitorPlan, key: SeriesKey, baseline: Baseline, *, source: str
) -> StoredBaseline:
    """A baseline of a series with its mean and bound on the scorer's own scale."""
    series, scale = plan.series(key), plan.scale(key)
    cells = series.grid.cells
    of_seasons = bounds(baseline, series)
    seasonal = len(of_seasons) > 1
    return StoredBaseline(
        key,
        baseline,
        seasonal,
        float(scale.raw(series.grid.mean(baseline.all_day(cells)))),
        None if seasonal else float(scale.raw(of_seasons[0])),
        source,
    )


def baselines_table(
    stored: Sequence[StoredBaseline], batch_id: int | None, now_ms: int
) -> pa.Table:
    """One row per baseline, columns as in `BASELINES`."""
    rows = [
        {
            "baseline_id": one.baseline_id,
            **series_columns(one.key),
            "kind": "frozen" if one.baseline.promoted else "pinned",
            "seasonal": one.seasonal,
            "n": one.baseline.n,
            "counts": one.baseline.counts,
            "mean": one.mean,
            "lower_bound": one.lower_bound,
            "source": one.source,
            "period_start": _instant(one.baseline.begin_ms),
            "period_end": _instant(one.baseline.end_ms),
            "created_at": instant(now_ms),
            "batch_id": batch_id,
            **_force(one.baseline),
        }
        for one in stored
    ]
    return pa.Table.from_pylist(rows, schema=BASELINES)


def _force(baseline: Baseline) -> Mapping[str, object]:
    if not baseline.version:
        return {"status": "created"}
    return {
        "status": "in_force",
        "version": baseline.version,
        "promoted_by": baseline.by or "configuration",
        "reason": baseline.reason or "first scores of the series",
    }


def _instant(time_ms: int | None) -> dt.datetime | None:
    return None if time_ms is None else instant(time_ms)
