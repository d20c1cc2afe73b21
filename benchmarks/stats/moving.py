"""What real traffic does to intervals: means that move, clusters, samples that are drawn unequally.

Streams of 2,000 scores, looked at after each. The interval then speaks of the mean of all means so
far, of the mean of the clusters, and of the mean of the traffic.
"""

from __future__ import annotations

from math import log
from pathlib import Path

import numpy as np

from benchmarks.report import Report
from benchmarks.stats.ever import RATE, Flags, at_any_time, bet_missed, passes_left, wald_missed
from benchmarks.stats.hedged import hedged_evidence
from benchmarks.stats.streams import ALPHA
from streaming_eval.stats.clusters import ClusterMeans
from streaming_eval.stats.empirical_bernstein import EmpiricalBernstein
from streaming_eval.stats.grid import Grid
from streaming_eval.stats.levels import Counts, Floats, Scale

_LENGTH = 2_000
_HEDGED_STREAMS = 100  # its evidence is computed from the whole history at each look
_UNIT = Scale(0.0, 1.0, True, 65)


def run(directory: Path, report: Report, *, quick: bool) -> None:
    """Moving means, clusters and weights, with what ignores them beside."""
    streams = 200 if quick else 1_000
    time = np.arange(_LENGTH)
    _moving(
        "daily cycle of 10 points", 0.85 + 0.1 * np.sin(time * 2 * np.pi / 500), streams, report
    )
    _moving("step .95 to .75", np.where(time < _LENGTH // 2, 0.95, 0.75), streams, report)
    _moving("ramp .95 to .6", np.linspace(0.95, 0.6, _LENGTH), streams, report)
    for size in (5, 20):
        _clusters(size, streams, report)
    _weights(streams, report)


def _moving(name: str, means: Floats, streams: int, report: Report) -> None:
    rng = np.random.default_rng(21)
    scores = (rng.random((streams, means.size)) < means).astype(np.float64)
    n = np.arange(1, means.size + 1)
    truth = means.cumsum() / n
    passes = scores.cumsum(axis=1)
    ours = (RATE.log_evidence(passes, n - passes, truth) >= log(1 / ALPHA)).any(axis=1).mean()
    bernstein = _bernstein_missed(scores, truth).mean()
    looks = np.arange(24, means.size, 25)
    hedged = [
        max(hedged_evidence(s[: at + 1], float(truth[at]), ALPHA) for at in looks) >= log(1 / ALPHA)
        for s in scores[:_HEDGED_STREAMS]
    ]
    _report(
        report,
        f"running mean, {name}",
        max(float(ours), float(bernstein)),
        f"ours {ours:.2%}, empirical Bernstein {bernstein:.2%}; "
        f"Wald {wald_missed(scores, truth).mean():.0%}, "
        f"adaptive bets (hedged) {np.mean(hedged):.0%}",
    )


def _bernstein_missed(scores: Floats, truth: Floats) -> Flags:
    """As since a baseline that had the first score's mean: it predicts all that come after it."""
    n, totals, predicted = np.arange(1, scores.shape[1] + 1), scores.cumsum(axis=1), truth[0]
    squares = ((scores - predicted) ** 2).cumsum(axis=1)
    variance = float(predicted * (1 - predicted))
    lower, upper = EmpiricalBernstein(ALPHA, 1_000, variance).intervals(n, totals, squares)
    return at_any_time((lower > truth) | (upper < truth))


def _clusters(size: int, streams: int, report: Report) -> None:
    """Intraclass correlation .3 at a mean of .9."""
    rng, spread = np.random.default_rng(22), (1 - 0.3) / 0.3
    clusters = _LENGTH // size
    rates = rng.beta(0.9 * spread, 0.1 * spread, (streams, clusters, 1))
    passed = (rng.random((streams, clusters, size)) < rates).astype(np.float64)
    every = ClusterMeans.of(
        np.arange(streams * clusters).repeat(size), passed.ravel(), np.ones(passed.size)
    )
    levels = every.levels(_UNIT, rng.random(streams * clusters)).reshape(streams, clusters)
    ours = bet_missed(levels, Grid(65), 0.9).mean()
    flat = passed.reshape(streams, -1)
    fewest, most = passes_left(flat.shape[1], 0.9)
    passes = flat.cumsum(axis=1)
    _report(
        report,
        f"clusters of {size}, one bet each",
        float(ours),
        f"{ours:.2%}; one bet per score "
        f"{((passes < fewest) | (passes > most)).any(axis=1).mean():.0%}, "
        f"Wald {wald_missed(flat, 0.9).mean():.0%}, "
        f"Wald of cluster means {wald_missed(passed.mean(axis=2), 0.9).mean():.0%}",
    )


def _weights(streams: int, report: Report) -> None:
    """Nine tenths of traffic pass at .95 and are sampled once in eight, a tenth at .5 always."""
    rng, grid = np.random.default_rng(23), Grid(2, (0.125, 1.0))
    rare = rng.random((streams, _LENGTH)) < 0.1 / (0.1 + 0.9 / 8)
    passed = rng.random(rare.shape) < np.where(rare, 0.5, 0.95)
    cells: Counts = np.where(rare, 0, 2) + passed
    mean = 0.9 * 0.95 + 0.1 * 0.5
    ours = bet_missed(cells, grid, mean).mean()
    plain = bet_missed(passed.astype(np.int64), Grid(2), mean).mean()
    _report(
        report,
        "samples drawn unequally, weighted by the grid",
        float(ours),
        f"{ours:.2%}; the same bets without weights {plain:.0%}",
    )


def _report(report: Report, what: str, missed: float, measured: str) -> None:
    report.add("S1", f"{what}: ever missed", measured, f"<= {ALPHA:.0%}", met=missed <= ALPHA)
