"""What an estimated baseline costs: false alarms and delay, by its size and by how it is used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.report import Report
from streaming_eval.stats.baseline import FEW, lower_bound
from streaming_eval.stats.e_detector import LOG_ZERO, EDetector, log_evidence, step
from streaming_eval.stats.levels import Floats

_PASS = 0.9
_PANE = 10  # scores
_LIMIT = float(np.log(1e5 / _PANE))  # one false alarm in 1e5 scores
_SIZES = (10_000, FEW, 2_000, 500)
_CHANGE, _CLEAN = 2_000, 20_000
_LONGEST = 20_000  # delay of an alarm that did not come

NullMean = Callable[[int, int], float]  # of a baseline's passes and size


def run(directory: Path, report: Report, *, quick: bool) -> None:
    """A pass rate of .90 that falls to .85, or does not, against a baseline of its own."""
    streams = 20 if quick else 1_000
    _, known = _measure(streams, 0, lambda passes, n: _PASS)
    report.add("S4", "baseline known: mean delay of a 5-point drop", f"{known:,.0f}")
    for n in _SIZES:
        report.progress(f"baselines of {n:,} scores")
        false, delay = _measure(streams, n, _bound)
        report.add(
            "S4",
            f"baseline of {n:,}, lower bound: false alarms in {_CLEAN:,} scores, mean delay",
            f"{false:.1%}, {delay:,.0f} ({delay / known:.2f}x)",
            "<= 6%, <= 1.6x" if n == 10_000 else "",
            met=bool(false <= 0.06 and delay <= 1.6 * known) if n == 10_000 else None,
        )
        for name, rule in (("mean itself", _plug_in), ("mean less .01", _less)):
            false, delay = _measure(streams, n, rule)
            report.add(
                "S4",
                f"baseline of {n:,}, beside it the {name}: the same",
                f"{false:.1%}, {delay:,.0f} ({delay / known:.2f}x)",
            )


def _bound(passes: int, n: int) -> float:
    return lower_bound([n - passes, passes], 0.05)


def _plug_in(passes: int, n: int) -> float:
    return passes / n


def _less(passes: int, n: int) -> float:
    return passes / n - 0.01


def _measure(streams: int, n: int, null_mean: NullMean) -> tuple[float, float]:
    """Share of clean streams with a false alarm, and mean delay where there was none before."""
    rng = np.random.default_rng(21)
    nulls = [null_mean(int(k), n) for k in rng.binomial(n, _PASS, size=streams)]
    detectors = [EDetector.for_drops(null, null * (1.0 - null)) for null in nulls]
    factors = np.stack([d.increments(np.eye(2, dtype=np.int64)) for d in detectors])
    clean = _first_alarms(factors, np.full(_CLEAN // _PANE, 1 - _PASS), rng)
    fails = np.where(np.arange((_CHANGE + _LONGEST) // _PANE) < _CHANGE // _PANE, 0.10, 0.15)
    waits = _first_alarms(factors, fails, rng) - _CHANGE
    return float((clean <= _CLEAN).mean()), float(np.minimum(waits[waits > 0], _LONGEST).mean())


def _first_alarms(factors: Floats, fails: Floats, rng: np.random.Generator) -> Floats:
    """Scores until each stream's alarm; infinite where there is none.

    Args:
        factors: log factors of each stream at a fail and at a pass [streams, 2, bets].
        fails: probability of a fail in each pane.
        rng: draws the scores.
    """
    lengths, quiet = np.full(len(factors), np.inf), np.arange(len(factors))
    log_m: Floats = np.full((len(factors), factors.shape[2]), LOG_ZERO)
    for pane, chance in enumerate(fails, start=1):
        failed = rng.binomial(_PANE, chance, size=(quiet.size, 1))
        log_m = step(log_m, failed * factors[:, 0] + (_PANE - failed) * factors[:, 1])
        calm = log_evidence(log_m) < _LIMIT
        if calm.all():
            continue
        lengths[quiet[~calm]] = pane * _PANE
        quiet, log_m, factors = quiet[calm], log_m[calm], factors[calm]
    return lengths
