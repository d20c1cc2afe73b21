"""Measures and prints: `python -m benchmarks.stats [--only NAMES] [--quick]`; seeds are fixed."""

from __future__ import annotations

from benchmarks.command import Benchmark, run_chosen
from benchmarks.stats import (
    attribution,
    cost,
    coverage,
    delays,
    drift,
    marked_series,
    moving,
    pinned,
    real_swap,
    width,
)

_BENCHMARKS: dict[str, Benchmark] = {
    "coverage": coverage.run,
    "moving": moving.run,
    "width": width.run,
    "cost": cost.run,
    "delays": delays.run,
    "pinned": pinned.run,
    "drift": drift.run,
    "attribution": attribution.run,
    "real-swap": real_swap.run,
    "marked-series": marked_series.run,
}

if __name__ == "__main__":
    run_chosen("python -m benchmarks.stats", __doc__, _BENCHMARKS)
