"""How often a mean ever leaves its interval, looked at after every single score.

Streams as in the literature on betting intervals, 10,000 scores each. The interval for one look is
measured on the same streams.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.report import Report
from streaming_eval.stats.levels import Counts, Floats
from streaming_eval.stats.mixture_bet import MixtureBet

_ALPHA = 0.05


def run(directory: Path, report: Report, *, quick: bool) -> None:
    """Miscoverage on pass/fail streams."""
    streams, length = (500, 1_000) if quick else (10_000, 10_000)
    allowed = _ALPHA + 3 * (_ALPHA * (1 - _ALPHA) / streams) ** 0.5
    for p in (0.5, 0.9, 0.98, 0.995):
        passes = _passes(p, streams, length)
        ours = _ever_missed(passes, p)
        naive = _wald_missed(passes, p)
        report.add(
            "S1",
            f"pass/fail, mean {p}: ever missed",
            f"{ours:.2%}; interval for one look {naive:.1%}",
            f"<= {allowed:.2%}",
            met=ours <= allowed,
        )


def _passes(p: float, streams: int, length: int) -> Counts:
    drawn = np.random.default_rng(7).random((streams, length), np.float32) < p
    return drawn.cumsum(axis=1, dtype=np.int64)


def _ever_missed(passes: Counts, p: float) -> float:
    """Each (passes, n) that occurs is solved once."""
    n = np.arange(1, passes.shape[1] + 1)
    base = passes.shape[1] + 1
    met, where = np.unique(passes * base + n, return_inverse=True)
    counts = np.stack([met % base - met // base, met // base], axis=1)
    lower, upper = MixtureBet(_ALPHA, expected_n=1_000).intervals(counts)
    missed = (lower > p) | (upper < p)
    return float(missed[where.reshape(passes.shape)].any(axis=1).mean())


def _wald_missed(passes: Counts, p: float) -> float:
    n = np.arange(1, passes.shape[1] + 1)
    seen: Floats = passes / n
    radius = 1.96 * np.sqrt(seen * (1 - seen) / n)
    return float(((np.abs(seen - p) > radius) & (n >= 30)).any(axis=1).mean())
