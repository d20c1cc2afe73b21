"""The command line that both collections of benchmarks share."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from rich.console import Console

from benchmarks.report import Report


class Benchmark(Protocol):
    """Measures in an empty directory and reports; `quick` runs are for trying the code only."""

    def __call__(self, directory: Path, report: Report, *, quick: bool) -> None: ...


def run_chosen(program: str, about: str | None, benchmarks: Mapping[str, Benchmark]) -> None:
    """Runs the chosen benchmarks one after the other and prints all figures.

    Args:
        program: as it is called, for messages.
        about: what `--help` says of it.
        benchmarks: by name, in the order in which they run.
    """
    parser = argparse.ArgumentParser(prog=program, description=about)
    parser.add_argument("--only", default=",".join(benchmarks), help="names, comma-separated")
    parser.add_argument(
        "--quick", action="store_true", help="small sizes that show the code works, no more"
    )
    options = parser.parse_args()
    names = options.only.split(",")
    if unknown := sorted(set(names) - benchmarks.keys()):
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(benchmarks)}")
    report = Report(Console(width=140))
    for name in names:
        report.progress(f"{name} begins")
        with tempfile.TemporaryDirectory(prefix=f"streaming-eval-bench-{name}-") as directory:
            benchmarks[name](Path(directory), report, quick=options.quick)
    report.progress("all done")
    report.print()
