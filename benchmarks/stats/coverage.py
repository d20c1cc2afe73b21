"""How often a mean ever leaves its interval, looked at after every single score.

Streams as in the literature on betting intervals, 10,000 scores each. Intervals for one look and
the asymptotic one are measured on the same streams.
"""

from __future__ import annotations

from math import sqrt
from pathlib import Path

import numpy as np
from scipy.stats import binom

from benchmarks.report import Report
from benchmarks.stats.ever import (
    Flags,
    asymptotic_missed,
    at_any_time,
    bet_missed,
    passes_left,
    wald_missed,
    wilson_missed,
)
from benchmarks.stats.streams import ALPHA, Stream, judge, pass_fail, skewed, spiky
from streaming_eval.stats.grid import Grid
from streaming_eval.stats.levels import Counts, Floats

_OTHERS_BLOCKS = 2  # of 500 streams: their errors are so large that fewer show them


def run(directory: Path, report: Report, *, quick: bool) -> None:
    """Miscoverage over whole streams, of every kind of score."""
    streams, length = (500, 1_000) if quick else (10_000, 10_000)
    kinds = [pass_fail(p) for p in (0.5, 0.9, 0.98, 0.995)] + [judge(), skewed(), spiky()]
    for stream in kinds:
        _one(stream, streams, length, report)


def allowed(streams: int) -> float:
    """The nominal error and three standard errors of a share of so many streams."""
    return ALPHA + 3 * sqrt(ALPHA * (1 - ALPHA) / streams)


def _one(stream: Stream, streams: int, length: int, report: Report) -> None:
    missed: dict[str, list[Flags]] = {}
    left = passes_left(length, stream.mean) if stream.levels == 2 else None
    for block, (values, levels) in enumerate(stream.blocks(streams, length, seed=7)):
        if left:
            passes = levels.cumsum(axis=1)
            ours = at_any_time((passes < left[0]) | (passes > left[1]))
        else:
            ours = bet_missed(levels, Grid(stream.levels), stream.mean)
        missed.setdefault("ours", []).append(ours)
        if block < _OTHERS_BLOCKS:
            for name, flags in _others(stream, values, levels).items():
                missed.setdefault(name, []).append(flags)
    shares = {name: float(np.concatenate(parts).mean()) for name, parts in missed.items()}
    ours_share = shares.pop("ours")
    others = ", ".join(f"{name} {share:.1%}" for name, share in shares.items())
    report.add(
        "S1",
        f"{stream.name}: ever missed in {length:,} looks",
        f"{ours_share:.2%}; {others}",
        f"<= {allowed(streams):.2%}",
        met=ours_share <= allowed(streams),
    )


def _others(stream: Stream, values: Floats, levels: Counts) -> dict[str, Flags]:
    mean = stream.mean
    found = {"Wald": wald_missed(values, mean), "asymptotic": asymptotic_missed(values, mean)}
    if stream.levels == 2:
        found["Wilson"] = wilson_missed(values, mean)
        found["bootstrap at 100 looks"] = _bootstrap_missed(levels.cumsum(axis=1), mean)
    return found


def _bootstrap_missed(passes: Counts, p: float) -> Flags:
    """The percentile bootstrap of a pass rate is binomial: no resampling is needed."""
    length = passes.shape[1]
    n = np.arange(length // 100, length + 1, length // 100)
    seen = passes[:, n - 1]
    low, high = (binom.ppf(q, n, seen / n) / n for q in (ALPHA / 2, 1 - ALPHA / 2))
    return at_any_time((low > p) | (high < p))
