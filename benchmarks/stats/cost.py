"""What counting, a detector's tick and a displayed interval cost, and that counts are bit-equal.

Processor time of one core, so that other work on the machine counts little.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.report import Report
from benchmarks.stats.streams import ALPHA
from streaming_eval.stats.bounded import bounded_intervals
from streaming_eval.stats.e_detector import BETS, LOG_ZERO, EDetector, step
from streaming_eval.stats.grid import Grid
from streaming_eval.stats.levels import Counts, Scale, mixed, to_levels, uniforms
from streaming_eval.stats.log_buckets import LogBuckets
from streaming_eval.stats.mixture_bet import MixtureBet
from streaming_eval.stats.quantile_sequence import QuantileSequence
from streaming_eval.stats.running_mean import Prediction, running_intervals

_KEYS = 5_000
_SAMPLES = 200_000
_REPEATS = 5
_FINE = Scale(0.0, 1.0, True, 65)


def run(directory: Path, report: Report, *, quick: bool) -> None:
    """Microseconds per sample, per key and tick, and per interval; then equality of counts."""
    rng = np.random.default_rng(41)
    levels = rng.integers(0, 3, _SAMPLES)
    keys = rng.integers(0, _KEYS, _SAMPLES)
    _cost(report, "count a sample", lambda: _counted(keys, levels, 3), _SAMPLES, 0.1)
    values, hashes = rng.random(_SAMPLES), rng.integers(0, 2**63, _SAMPLES).astype(np.uint64)
    _cost(
        report, "round a sample to 65 levels",
        lambda: to_levels(values, _FINE, uniforms(hashes)), _SAMPLES, None,
    )  # fmt: skip
    counts = _counted(keys, levels, 3)
    detector, log_m = EDetector.for_drops(0.5, 0.16), np.full((_KEYS, BETS), LOG_ZERO)
    _cost(report, "a detector's tick", lambda: step(log_m, detector.increments(counts)), _KEYS, 1.0)
    _intervals(report, rng, quick=quick)
    _equality(report, values, hashes, keys)


def _counted(keys: Counts, levels: Counts, k: int) -> Counts:
    return np.bincount(keys * k + levels, minlength=_KEYS * k).reshape(_KEYS, k)


def _intervals(report: Report, rng: np.random.Generator, *, quick: bool) -> None:
    bet = MixtureBet(ALPHA, expected_n=1_000)
    grids = [(Grid(2), 30.0), (Grid(3), 30.0), (Grid(5), None), (Grid(65), 300.0)]
    for grid, goal in [*grids, (Grid.weighted(3, 20), None)]:
        rows = 100 if quick else 20_000 // grid.cells
        n = np.exp(rng.uniform(np.log(50), np.log(20_000), rows)).astype(np.int64)
        counts = rng.multinomial(n, rng.dirichlet(np.ones(grid.cells), rows))
        weighted = f", {len(grid.shares)} weights" if len(grid.shares) > 1 else ""
        what = f"an interval of {grid.levels} levels{weighted}"
        _cost(report, what, partial(bounded_intervals, counts, bet, grid), rows, goal)
    since = rng.multinomial(np.full(_KEYS, 1_000), (0.1, 0.2, 0.7))
    expected = [Prediction.of(row) for row in since]
    _cost(
        report, "an interval since the baseline",
        lambda: running_intervals(since, expected, ALPHA, 1_000), _KEYS, 30.0,
    )  # fmt: skip
    latencies = LogBuckets.of(rng.lognormal(0, 1, 5_000))
    p95 = QuantileSequence(0.95, ALPHA, 1_000)
    _cost(report, "an interval of a quantile", lambda: p95.interval(latencies), 1, None)


def _cost(
    report: Report, what: str, work: Callable[[], object], units: int, goal: float | None
) -> None:
    work()
    best = float("inf")
    for _ in range(_REPEATS):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    micros = best / units * 1e6
    met = None if goal is None else micros <= goal
    report.add("S7", what, f"{micros:.3g} us", "" if goal is None else f"<= {goal:g} us", met=met)


def _equality(report: Report, values: np.ndarray, hashes: np.ndarray, keys: Counts) -> None:
    """Rows shuffled, some delivered twice, cut into batches, counted apart and added up."""
    rng = np.random.default_rng(42)
    whole = _counted(keys, to_levels(values, _FINE, uniforms(mixed(hashes, 1))), 65)
    again = rng.permutation(np.concatenate([np.arange(_SAMPLES), rng.integers(0, _SAMPLES, 9_000)]))
    _, first = np.unique(hashes[again], return_index=True)
    merged = np.zeros_like(whole)
    for part in np.array_split(rng.permutation(again[first]), 37):
        levels = to_levels(values[part], _FINE, uniforms(mixed(hashes[part], 1)))
        merged += _counted(keys[part], levels, 65)
    equal = np.array_equal(merged, whole)
    bet = MixtureBet(ALPHA, expected_n=1_000)
    some = slice(0, 100)
    same = np.array_equal(bet.intervals(merged[some]), bet.intervals(whole[some]))
    report.add(
        "S7",
        "shuffled, delivered twice, cut into 37 batches, merged",
        f"counts {'bit-equal' if equal else 'differ'}, intervals {'equal' if same else 'differ'}",
        "bit-equal",
        met=bool(equal and same),
    )
