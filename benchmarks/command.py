"""The command line that both collections of benchmarks share."""

from __future__ import annotations

import argparse
import sys
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from rich.console import Console

from benchmarks.report import Report


class Benchmark(Protocol):
    """Measures in an empty directory and reports; `quick` runs are for trying the code only."""

    def __call__(self, directory: Path, report: Report, *, quick: bool) -> None: ...


def run_chosen(program: str, about: str | None, benchmarks: Mapping[str, Benchmark]) -> None:
    """Runs the chosen benchmarks one after the other and prints all figures; exits 1 if one fails.

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
    whole = [_run(name, benchmarks[name], report, quick=options.quick) for name in names]
    report.progress("all done")
    report.print()
    if not all(whole):
        sys.exit(1)


def _run(name: str, benchmark: Benchmark, report: Report, *, quick: bool) -> bool:
    """Whether it came to its end; an hour of other figures must not be lost with it."""
    report.progress(f"{name} begins")
    with tempfile.TemporaryDirectory(prefix=f"streaming-eval-bench-{name}-") as directory:
        try:
            benchmark(Path(directory), report, quick=quick)
        except Exception as error:
            traceback.print_exc()
            report.add(name, "not measured to its end", f"{type(error).__name__}: {error}")
            return False
    return True
