"""Measures and prints: `python -m benchmarks [--only NAMES]`."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from benchmarks import client, freshness, seed, sink, tail, throughput
from benchmarks.report import Report

_BENCHMARKS: dict[str, Callable[[Path, Report], None]] = {
    "sink": sink.run,
    "client": client.run,
    "throughput": throughput.run,
    "tail": tail.run,
    "freshness": freshness.run,
    "seed": seed.run,
}


def main() -> None:
    """Runs the chosen benchmarks one after the other and prints all figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", default=",".join(_BENCHMARKS), help="names, comma-separated")
    names = parser.parse_args().only.split(",")
    if unknown := sorted(set(names) - _BENCHMARKS.keys()):
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(_BENCHMARKS)}")
    report = Report(Console(width=140))
    with tempfile.TemporaryDirectory(prefix="streaming-eval-bench-") as scratch:
        for name in names:
            directory = Path(scratch) / name
            directory.mkdir()
            _BENCHMARKS[name](directory, report)
    report.print()


if __name__ == "__main__":
    main()
