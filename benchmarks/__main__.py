"""Measures and prints: `python -m benchmarks [--only NAMES] [--quick]`."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Protocol

from rich.console import Console

from benchmarks import (
    batch,
    cache,
    client,
    commits,
    control,
    freshness,
    quota,
    replay,
    seed,
    sink,
    stuck,
    tail,
    throughput,
)
from benchmarks.report import Report


class Benchmark(Protocol):
    """Measures in an empty directory and reports; `quick` runs are for trying the code only."""

    def __call__(self, directory: Path, report: Report, *, quick: bool) -> None: ...


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
    "quota": quota.run,
    "commits": commits.run,
    "cache": cache.run,
    "seed": seed.run,
}


def main() -> None:
    """Runs the chosen benchmarks one after the other and prints all figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", default=",".join(_BENCHMARKS), help="names, comma-separated")
    parser.add_argument(
        "--quick", action="store_true", help="small sizes that show the code works, no more"
    )
    options = parser.parse_args()
    names = options.only.split(",")
    if unknown := sorted(set(names) - _BENCHMARKS.keys()):
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(_BENCHMARKS)}")
    report = Report(Console(width=140))
    for name in names:
        report.progress(f"{name} begins")
        with tempfile.TemporaryDirectory(prefix=f"streaming-eval-bench-{name}-") as directory:
            _BENCHMARKS[name](Path(directory), report, quick=options.quick)
    report.progress("all done")
    report.print()


if __name__ == "__main__":
    main()
