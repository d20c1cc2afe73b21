"""Draws the figures of docs/statistics.md: `python -m benchmarks.plots [DIRECTORY] [--quick]`."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.plots.figures import draw_all

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plots", description=__doc__)
    parser.add_argument("directory", nargs="?", type=Path, default=Path("docs/plots"))
    parser.add_argument("--quick", action="store_true", help="few streams: to try the code only")
    options = parser.parse_args()
    for path in draw_all(options.directory, quick=options.quick):
        print(path)
