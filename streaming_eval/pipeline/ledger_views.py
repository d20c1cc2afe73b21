"""Baselines and alerts as they stand now, from their append-only tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from streaming_eval.adapters.tables import Tables
from streaming_eval.alerting import Baseline, bounds
from streaming_eval.pipeline.frozen_baselines import Chosen
from streaming_eval.pipeline.plan import MonitorPlan
from streaming_eval.records import SeriesKey
from streaming_eval.stats.baseline import missing

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BaselineView:
    """A baseline now.

    Attributes:
        row: of the table: the newest of its promotions, or how it was made.
        in_force: whether its series is compared with it.
        missing: scores that it lacks to be compared with; None where its series is not part of the
            configuration.
        bounds: of each season, on the scorer's own scale; empty likewise.
    """

    row: Row
    in_force: bool
    missing: int | None
    bounds: tuple[float, ...]


def baselines(tables: Tables, plan: MonitorPlan, chosen: Chosen) -> list[BaselineView]:
    """Every baseline of the chosen series, by series and age."""
    rows = [r for r in tables.read("baselines").to_pylist() if chosen.has(_key(r))]
    rows.sort(key=lambda row: (row["series_key"], row["created_at"], row["version"] or 0))
    newest = {row["series_key"]: row["version"] for row in rows if row["version"]}
    in_force = set(newest.items())
    last = {row["baseline_id"]: row for row in rows}
    return [
        _view(row, (row["series_key"], row["version"]) in in_force, plan) for row in last.values()
    ]


def _view(row: Row, in_force: bool, plan: MonitorPlan) -> BaselineView:
    key = _key(row)
    if not plan.watches(key):
        return BaselineView(row, in_force, None, ())
    series, scale = plan.series(key), plan.scale(key)
    baseline = Baseline(tuple(row["counts"]), id=row["baseline_id"])
    lacking = missing(baseline.counts, series.baseline_samples or 0)
    own = tuple(float(scale.raw(bound)) for bound in bounds(baseline, series))
    return BaselineView(row, in_force, lacking, own)


@dataclass(frozen=True, slots=True)
class AlertView:
    """An alert now.

    Attributes:
        opened: the row of its opening.
        resolved: the row of its end; None while it is open.
    """

    opened: Row
    resolved: Row | None


def alerts(tables: Tables, chosen: Chosen, *, only_open: bool) -> list[AlertView]:
    """Every alert of the chosen series, the oldest first."""
    rows = [row for row in tables.read("alerts").to_pylist() if chosen.has(_key(row))]
    resolved = {row["alert_id"]: row for row in rows if row["status"] == "resolved"}
    opened = [row for row in rows if row["status"] == "opened"]
    opened.sort(key=lambda row: (row["opened_at"], row["opened_pane"], row["alert_id"]))
    views: Iterable[AlertView] = (AlertView(r, resolved.get(r["alert_id"])) for r in opened)
    return [view for view in views if not (only_open and view.resolved)]


def _key(row: Row) -> SeriesKey:
    return SeriesKey.parse(row["series_key"])
