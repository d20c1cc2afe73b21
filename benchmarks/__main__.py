"""Measures and prints: `python -m benchmarks [--only NAMES] [--quick]`."""

from __future__ import annotations

from benchmarks import (
    batch,
    cache,
    client,
    commits,
    control,
    freshness,
    monitor,
    quota,
    replay,
    seed,
    sink,
    stuck,
    tail,
    throughput,
)
from benchmarks.command import Benchmark, run_chosen

_BENCHMARKS: dict[str, Benchmark] = {
    "control": control.run,
    "sink": sink.run,
    "client": client.run,
    "throughput": throughput.run,
    "tail": tail.run,
    "stuck": stuck.run,
    "replay": replay.run,
    "batch": batch.run,
    "freshness": freshness.run,
    "monitor": monitor.run,
    "quota": quota.run,
    "commits": commits.run,
    "cache": cache.run,
    "seed": seed.run,
}

if __name__ == "__main__":
    run_chosen("python -m benchmarks", __doc__, _BENCHMARKS)
