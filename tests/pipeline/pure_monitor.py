"""What the monitor says, without Spark: the same scores through the pure functions alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pytest

from streaming_eval.adapters.tables import Tables
from streaming_eval.alerting import (
    Decision,
    Pane,
    SeriesState,
    Transition,
    drift_reading,
    evidence,
    expire,
    observe,
    since_baseline,
    wake_at,
)
from streaming_eval.pipeline.plan import MonitorPlan
from streaming_eval.pipeline.preaggregate import MISSING, pane_counts
from streaming_eval.pipeline.window_rows import SINCE_BASELINE
from streaming_eval.records import SeriesKey


@dataclass
class Pure:
    """The same rows through the pure functions: a dictionary of states and a watermark."""

    plan: MonitorPlan
    states: dict[str, SeriesState] = field(default_factory=dict)
    transitions: list[tuple[str, Transition]] = field(default_factory=list)
    watermark_ms: int = 0

    def watches(self, key: str) -> bool:
        """Whether the series is still part of the configuration."""
        return self.plan.watches(SeriesKey.parse(key))

    def take(self, scores: pa.Table) -> None:
        """One commit of scores, and what follows from the watermark that it brings."""
        counted = [
            row
            for batch in pane_counts(scores.to_batches(), self.plan.layout)
            for row in batch.to_pylist()
        ]
        panes: dict[str, list[Pane]] = {}
        for row in counted:
            panes.setdefault(row["series_key"], []).append(_pane(row, self.plan))
        for key, new in panes.items():
            self.advance(key, new)
        newest_ms = int(counted[0]["newest"].timestamp() * 1_000)
        self.watermark_ms = max(self.watermark_ms, newest_ms - self.plan.allowed_lateness_ms)
        for key, state in list(self.states.items()):
            due_ms = wake_at(state, self.plan.series(SeriesKey.parse(key)))
            if any(time_ms <= self.watermark_ms for time_ms in due_ms):
                self.advance(key)

    def advance(self, key: str, new: Sequence[Pane] = (), decided: Sequence[Decision] = ()) -> None:
        """What the stateful step does with one series."""
        series = self.plan.series(SeriesKey.parse(key))
        before = self.states.get(key, SeriesState())
        after = observe(before, new, self.watermark_ms, series, decided)
        self.transitions += [(key, step) for step in after.transitions]
        self.states[key], _ = expire(after, self.watermark_ms, series)


def _pane(row: Mapping[str, Any], plan: MonitorPlan) -> Pane:
    by_cell = dict(zip(row["levels"], row["counts"], strict=True))
    cells = range(plan.series(SeriesKey.parse(row["series_key"])).grid.cells)
    counts = tuple(by_cell.get(cell, 0) for cell in cells)
    return Pane(row["pane_ms"], counts, by_cell.get(MISSING, 0))


def newest(tables: Tables) -> dict[str, dict[str, Any]]:
    """The last estimate since the baseline of each series."""
    rows = tables.read("estimates", filters=[("window", "=", SINCE_BASELINE)])
    return {row["series_key"]: row for row in rows.sort_by("batch_id").to_pylist()}


def agrees(tables: Tables, pure: Pure) -> bool:
    """Whether `check` passes: the last pane is closed a batch after its scores are counted."""
    try:
        check(tables, pure)
    except AssertionError:
        return False
    return True


def check(tables: Tables, pure: Pure) -> None:
    """Counts to the bit, evidence to 1e-9, and the same lives of the same alerts."""
    found = {key: row for key, row in newest(tables).items() if pure.watches(key)}
    assert found.keys() == pure.states.keys()
    for key, state in pure.states.items():
        series, row = pure.plan.series(SeriesKey.parse(key)), found[key]
        assert tuple(row["counts"]) == since_baseline(state, series).counts, key
        assert row["log_evidence"] == pytest.approx(evidence(state, series), abs=1e-9), key
        if state.drift.version:
            drift, _ = drift_reading(state, series)
            assert row["drift_log_evidence"] == pytest.approx(drift, abs=1e-9), key
        assert (row["late"], row["baseline_version"]) == (state.n_late, state.baseline.version)
        assert (row["state"] == "regressed") is (state.alarm is not None)
    lived = [
        (row["series_key"], row["kind"], row["opened_pane"].timestamp() * 1_000, row["why"])
        for row in tables.read("alerts").to_pylist()
        if row["status"] != "attributed"  # says more of an alert, and is no step in its life
    ]
    steps = [
        (
            key,
            step.alarm.kind.value,
            step.alarm.opened_ms,
            step.resolution and step.resolution.why.value,
        )
        for key, step in pure.transitions
    ]
    assert sorted(lived, key=str) == sorted(steps, key=str)
