"""The alarm's promise and its speed, by simulation: one score is one pane, pass rate .90."""

from functools import partial

import numpy as np
import pytest

from streaming_eval.stats.e_detector import BETS, LOG_ZERO, EDetector, log_evidence, step
from streaming_eval.stats.levels import Counts

PASS = 0.9
BUDGET = 1e4  # panes per false alarm
ORACLE_LIMIT = 4.6  # gives the oracle that budget; its run length is tested below


def run_lengths(
    passes_before: float, passes_after: float, change: int, n_max: int, paths: int, seed: int
) -> Counts:
    """Scores until the alarm opens, or `n_max`."""
    detector = EDetector.for_drops(PASS, PASS * (1 - PASS))
    by_score = detector.increments(np.eye(2, dtype=np.int64))
    rng = np.random.default_rng(seed)
    log_m, quiet = np.full((paths, BETS), LOG_ZERO), np.arange(paths)
    lengths = np.full(paths, n_max)
    for n in range(1, n_max + 1):
        passed = rng.random(quiet.size) < (passes_before if n <= change else passes_after)
        log_m = step(log_m, by_score[passed.astype(int)])
        opened = log_evidence(log_m) >= np.log(BUDGET)
        lengths[quiet[opened]] = n
        quiet, log_m = quiet[~opened], log_m[~opened]
        if not quiet.size:
            break
    return lengths


def oracle_run_lengths(change: int, n_max: int, paths: int, seed: int) -> Counts:
    """The same for the CUSUM that knows both pass rates, .90 and .85 (Page 1954)."""
    gains = np.log([0.15 / 0.10, 0.85 / 0.90])
    rng = np.random.default_rng(seed)
    cusum, quiet = np.zeros(paths), np.arange(paths)
    lengths = np.full(paths, n_max)
    for n in range(1, n_max + 1):
        passed = rng.random(quiet.size) < (0.90 if n <= change else 0.85)
        cusum = np.maximum(cusum, 0.0) + gains[passed.astype(int)]
        opened = cusum >= ORACLE_LIMIT
        lengths[quiet[opened]] = n
        quiet, cusum = quiet[~opened], cusum[~opened]
        if not quiet.size:
            break
    return lengths


def mean_delay(lengths: Counts, change: int) -> float:
    return float((lengths[lengths > change] - change).mean())


@pytest.mark.slow
def test_false_alarms_come_no_sooner_than_promised() -> None:
    """P(alarm within T panes) <= T / A, with no calibration; and the bound is not idle."""
    lengths = run_lengths(PASS, PASS, 2_000, 2_000, paths=1_500, seed=1)
    for panes in (250, 500, 1_000, 2_000):
        promised = panes / BUDGET
        alarmed = (lengths < panes).mean()
        assert promised / 5 < alarmed <= promised + 3 * (promised / 1_500) ** 0.5


@pytest.mark.slow
def test_a_drop_is_found_nearly_as_fast_as_by_one_who_knows_it() -> None:
    """Mean delay at most 1.25 times that of the oracle, which gets no longer a run length."""
    oracle = partial(oracle_run_lengths, seed=2)
    assert oracle(10**9, 60_000, 400).mean() <= 1.15 * BUDGET
    ours = run_lengths(PASS, 0.85, 1_000, 10_000, paths=1_200, seed=3)
    best = oracle(1_000, 10_000, 1_200)
    assert mean_delay(ours, 1_000) <= 1.25 * mean_delay(best, 1_000)
