"""Measures and prints: `python -m benchmarks.stats [--only NAMES] [--quick]`; seeds are fixed."""

from __future__ import annotations

from benchmarks.command import Benchmark, run_chosen
from benchmarks.stats import (
    attribution,
    cost,
    coverage,
    delays,
    drift,
    fleet,
    marked_series,
    moving,
    paired,
    pinned,
    real_swap,
    state_bytes,
    width,
)

_BENCHMARKS: dict[str, Benchmark] = {
    "coverage": coverage.run,
    "moving": moving.run,
    "width": width.run,
    "cost": cost.run,
    "state": state_bytes.run,
    "delays": delays.run,
    "pinned": pinned.run,
    "drift": drift.run,
    "attribution": attribution.run,
    "fleet": fleet.run,
    "paired": paired.run,
    "real-swap": real_swap.run,
    "marked-series": marked_series.run,
}

if __name__ == "__main__":
    run_chosen("python -m benchmarks.stats", __doc__, _BENCHMARKS)
