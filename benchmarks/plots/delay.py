"""How soon a drop is found, by how rare false alarms are: ours, the best possible, and a z-test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streaming_eval.stats.e_detector import BETS, LOG_ZERO, EDetector, log_evidence, step
from streaming_eval.stats.levels import Counts, Floats

_BEFORE, _AFTER = 0.90, 0.85
_WINDOW = 500
_SIGMAS = (2.0, 2.5, 3.0)
_GAINS = (float(np.log(_AFTER / _BEFORE)), float(np.log((1 - _AFTER) / (1 - _BEFORE))))
_STEPS_PER_PASS = 8  # of the grid on which the CUSUM's run length is solved


@dataclass(frozen=True, slots=True)
class Delays:
    """Mean delay in scores of each method, beside its scores per false alarm."""

    budgets: Floats
    ours: Floats
    oracle_budgets: Floats
    oracle: Floats
    rolling_budgets: Floats
    rolling: Floats


def measure(*, quick: bool) -> Delays:
    """The drop comes after 1,000 good scores, in streams that have raised no alarm until then."""
    streams, change, most = (20, 600, 4_000) if quick else (400, 1_000, 6_000)
    rng = np.random.default_rng(2)
    good = rng.random((streams, change)) < _BEFORE
    passed = np.concatenate([good, rng.random((streams, most)) < _AFTER], axis=1)
    budgets = np.array([1e4, 3e4] if quick else [3e3, 1e4, 3e4, 1e5, 3e5, 1e6])
    limits = (4.6, 5.8) if quick else (3.6, 4.6, 5.8, 7.0, 8.0, 9.2)
    clean = rng.random((streams // 2, 2_000 if quick else 60_000)) < _BEFORE
    return Delays(
        budgets=budgets,
        ours=_delays(_evidence(passed), np.log(budgets), change),
        oracle_budgets=np.array([_run_length(limit) for limit in limits]),
        oracle=_delays(_cusum(passed), limits, change),
        rolling_budgets=_per_alarm(_rolling(clean), _SIGMAS),
        rolling=_delays(_rolling(passed), _SIGMAS, change),
    )


def _delays(path: Floats, limits: Sequence[float] | Floats, change: int) -> Floats:
    """Mean number of scores from the change until `path` [streams, n] first reaches each limit."""
    delays = []
    for limit in limits:
        over = path >= limit
        quiet = ~over[:, :change].any(axis=1)
        found = over[quiet, change:]
        if not found.any(axis=1).all():
            raise RuntimeError("some streams are too short for the drop to be found")
        delays.append(float(found.argmax(axis=1).mean()) + 1)
    return np.array(delays)


def _evidence(passed: np.ndarray) -> Floats:
    """Our log evidence after each score; every score is a pane."""
    detector = EDetector.for_drops(_BEFORE, _BEFORE * (1 - _BEFORE))
    by_score = detector.increments(np.eye(2, dtype=np.int64))
    log_m = np.full((len(passed), BETS), LOG_ZERO)
    path = np.empty(passed.shape)
    for n, column in enumerate(passed.T.astype(int)):
        log_m = step(log_m, by_score[column])
        path[:, n] = log_evidence(log_m)
    return path


def _cusum(passed: np.ndarray) -> Floats:
    """Page (1954), Continuous inspection schemes, with both pass rates known."""
    path, now = np.empty(passed.shape), np.zeros(len(passed))
    for n, column in enumerate(passed.T):
        now = np.maximum(now, 0.0) + np.where(column, *_GAINS)
        path[:, n] = now
    return path


def _run_length(limit: float) -> float:
    """Scores until a false alarm of that CUSUM, on average, solved on a grid.

    Source: Brook, Evans (1972), An approach to the probability distribution of cusum run length.
    """
    width = -_GAINS[0] / _STEPS_PER_PASS
    cells = int(np.ceil(limit / width))
    up = round(_GAINS[1] / width)
    here = np.arange(cells)
    stay = np.zeros((cells, cells))
    stay[here, np.maximum(here - _STEPS_PER_PASS, 0)] += _BEFORE
    rising = here[here + up < cells]
    stay[rising, rising + up] += 1 - _BEFORE
    lengths = np.linalg.solve(np.eye(cells) - stay, np.ones(cells))
    return float(lengths[0])


def _rolling(passed: np.ndarray) -> Floats:
    """How many standard deviations the last scores' pass rate is below the known one."""
    sums = np.cumsum(passed, axis=1, dtype=np.float64)
    sums[:, _WINDOW:] -= sums[:, :-_WINDOW].copy()
    deviation = np.sqrt(_BEFORE * (1 - _BEFORE) / _WINDOW)
    path: Floats = (_BEFORE - sums / _WINDOW) / deviation
    path[:, : _WINDOW - 1] = -np.inf
    return path


def _per_alarm(path: Floats, limits: Sequence[float]) -> Floats:
    """Scores watched per first alarm."""
    found = []
    for limit in limits:
        over = path >= limit
        alarmed = over.any(axis=1)
        watched: Counts = np.where(alarmed, over.argmax(axis=1) + 1, path.shape[1])
        found.append(float(watched.sum()) / max(int(alarmed.sum()), 1))
    return np.array(found)
