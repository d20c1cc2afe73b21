"""Score rows for the monitor's benchmark, and what the pure statistic makes of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from streaming_eval.adapters.schemas import SCORES
from streaming_eval.alerting import Pane, SeriesPlan, SeriesState, observe
from streaming_eval.pipeline.plan import MonitorPlan, monitor_plan
from streaming_eval.pipeline.preaggregate import MISSING, READ, pane_counts
from streaming_eval.records import SeriesKey
from streaming_eval.settings import Settings

BATCH_MS = 60_000  # of event time: a pane
_SCHEMA = pa.schema([SCORES.field(name) for name in READ])
_FIRST_MS = 1_700_000_040_000  # a whole minute


@dataclass(frozen=True, slots=True)
class Watched:
    """A fleet of pass/fail series, one per model."""

    plan: MonitorPlan
    models: tuple[str, ...]
    scorer: str
    version: str


def watched(series: int) -> Watched:
    """The fleet; a baseline takes 500 scores, so that detectors run in most batches."""
    models = tuple(f"model-{number}" for number in range(series))
    settings = Settings.model_validate(
        {
            "version": 1,
            "production_models": models,
            "scorers": [{"kind": "contains"}],
            "monitor": {"pane": "1m", "baseline": {"samples": 500}, "allowed_lateness": "1m"},
        }
    )
    plan = monitor_plan(settings)
    ((scorer, version),) = plan.layout.scales
    return Watched(plan, models, scorer, version)


def score_rows(fleet: Watched, number: int, rows: int, mean: float) -> pa.Table:
    """The rows of one batch, `rows` for each series, shuffled; each batch is one pane."""
    rng = np.random.default_rng(number)
    n = rows * len(fleet.models)
    begin_ms = _FIRST_MS + number * BATCH_MS
    at_us = (begin_ms * 1_000 + np.linspace(0, BATCH_MS * 1_000 - 1, n)).astype(np.int64)
    columns: dict[str, pa.Array] = {
        "sample_id": pa.array([f"{number}-{row}" for row in range(n)]),
        "model": pa.array(np.array(fleet.models)[rng.permutation(n) % len(fleet.models)]),
        "scorer": pa.array([fleet.scorer] * n),
        "evaluation_version": pa.array([fleet.version] * n),
        "event_time": pa.array(at_us).cast(pa.timestamp("us", tz="UTC")),
        "scored_at": pa.array(at_us).cast(pa.timestamp("us", tz="UTC")),
        "value": pa.array((rng.random(n) < mean).astype(np.float64)),
        "weight": pa.array(np.ones(n)),
    }
    for field in _SCHEMA:
        columns.setdefault(field.name, pa.nulls(n, field.type))
    return pa.table([columns[field.name] for field in _SCHEMA], schema=_SCHEMA)


def panes_by_series(
    batches: Iterable[pa.RecordBatch], plan: MonitorPlan
) -> Mapping[str, Mapping[int, Sequence[int]]]:
    """The counts of every series' panes, as the stateful step adds them up."""
    found: dict[str, dict[int, list[int]]] = defaultdict(dict)
    for batch in pane_counts(batches, plan.layout):
        for row in batch.to_pylist():
            cells = plan.series(SeriesKey.parse(row["series_key"])).grid.cells
            counts = found[row["series_key"]].setdefault(row["pane_ms"], [0] * cells)
            for cell, n in zip(row["levels"], row["counts"], strict=True):
                if cell != MISSING:
                    counts[cell] += n
    return found


def first_decisions(fleet: Watched, batches: Sequence[pa.Table]) -> Mapping[str, int]:
    """By series, the batch in which the pure statistic decides when it looks after every score.

    The watermark is the one that Spark gives a batch: of the rows before it.
    """
    found: dict[str, int] = {}
    states: dict[str, SeriesState] = defaultdict(SeriesState)
    for number, rows in enumerate(batches):
        watermark_ms = _FIRST_MS + number * BATCH_MS - fleet.plan.allowed_lateness_ms
        model, value = rows["model"].to_numpy(zero_copy_only=False), rows["value"].to_numpy()
        for name in fleet.models:
            key = str(SeriesKey(name, "__all__", fleet.scorer, fleet.version, ""))
            if key in found:
                continue
            plan = fleet.plan.series(SeriesKey.parse(key))
            pane_ms = _FIRST_MS + number * BATCH_MS
            states[key], decided = _look_at_each(
                states[key], value[model == name], pane_ms, watermark_ms, plan
            )
            if decided:
                found[key] = number
    return found


def _look_at_each(
    state: SeriesState, passed: np.ndarray, pane_ms: int, watermark_ms: int, plan: SeriesPlan
) -> tuple[SeriesState, bool]:
    for value in passed:
        counts = (0, 1) if value else (1, 0)
        state = observe(state, [Pane(pane_ms, counts)], watermark_ms, plan)
        if state.alarm is not None:
            return state, True
    return state, False
