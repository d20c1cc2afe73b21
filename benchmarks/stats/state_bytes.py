"""How large the state of one series is, in the form in which it is stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.report import Report
from streaming_eval.alerting import Pane, SeriesPlan, SeriesState, expire, observe
from streaming_eval.pipeline.series_processor import STATE
from streaming_eval.stats.grid import Grid

_PANE_MS, _HOUR_MS = 60_000, 3_600_000


def run(directory: Path, report: Report, *, quick: bool) -> None:
    """Two days of 50 scores a pane of a minute, two panes open."""
    hours = 3 if quick else 49
    kinds: tuple[tuple[str, Grid, dict[str, object]], ...] = (
        ("pass/fail", Grid(2), {}),
        ("a judge's 3 grades", Grid(3), {}),
        ("65 levels", Grid(65), {}),
        ("65 levels, weights up to 20", Grid.weighted(65, 20), {}),
        ("pass/fail, hourly baseline", Grid(2), {"seasons": 24}),
        ("65 levels, hourly baseline", Grid(65), {"seasons": 24}),
        ("65 levels, a sliding day", Grid(65), {"sliding_ms": (24 * _HOUR_MS,)}),
        ("pass/fail, maturity of a day", Grid(2), {"maturity_ms": 24 * _HOUR_MS}),
    )
    for what, grid, changes in kinds:
        size = len(STATE.pack(_state(grid, hours, changes))[0])
        report.add("P16", f"state of one series: {what}", f"{size:,} bytes")


def _state(grid: Grid, hours: int, changes: dict[str, object]) -> SeriesState:
    plan = SeriesPlan(
        **{  # type: ignore[arg-type]
            "grid": grid,
            "pane_ms": _PANE_MS,
            "window_ms": _HOUR_MS,
            "baseline_samples": 5_000,
            "baseline_constant": None,
            "smallest_effect": 0.02,
            "log_threshold": 16.6,
            "log_suspect": 9.2,
            "alarm": True,
            **changes,
        }
    )
    rng, state = np.random.default_rng(1), SeriesState()
    shares = rng.dirichlet(np.linspace(0.1, 1.0, grid.cells))
    for pane in range(hours * 60 + 30):
        counts = tuple(rng.multinomial(50, shares).tolist())
        watermark_ms = (pane - 1) * _PANE_MS
        state = observe(state, [Pane(pane * _PANE_MS, counts, 1)], watermark_ms, plan)
        state, _ = expire(state, watermark_ms, plan)
    return state
