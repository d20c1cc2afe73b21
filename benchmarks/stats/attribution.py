"""Whom an alarm is put down to, when it was the system and when it was the judge."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.report import Report
from streaming_eval.stats.attribution import Attribution, Culprit
from streaming_eval.stats.baseline import lower_bound
from streaming_eval.stats.e_detector import LOG_ZERO, EDetector, log_evidence, step
from streaming_eval.stats.levels import Floats

_PANE = 50  # judge calls
_LIMIT = float(np.log(1e5 / _PANE))
_CALM, _PANES = 20, 400
_BASELINE = 10_000  # scores of the traffic; 5,000 anchors


@dataclass(frozen=True, slots=True)
class Judge:
    """How often the judge passes what people pass, and fails what they fail."""

    passes: float
    fails: float

    def rate(self, good: float) -> float:
        """Pass rate of traffic of which a share `good` would pass with people."""
        return good * self.passes + (1 - good) * (1 - self.fails)

    def agreement(self, good: float) -> float:
        """With people, on anchors of which they passed a share `good`."""
        return good * self.passes + (1 - good) * self.fails


_GOOD, _WORSE = 0.85, 0.77
_USUAL, _STRICTER = Judge(0.95, 0.90), Judge(0.87, 0.90)
_ON_ANCHORS_HALF = Judge(0.91, 0.90)


def run(directory: Path, report: Report, *, quick: bool) -> None:
    """The same fall of the judged pass rate, by a worse system or by a stricter judge."""
    streams = 20 if quick else 400
    for share in (0.3, 0.1):
        for guard in (1_000, 300):
            aimed = share == 0.3 and guard == 1_000
            for name, good, judge, anchors in (
                ("system worse", _WORSE, _USUAL, _USUAL),
                ("judge stricter", _GOOD, _STRICTER, _STRICTER),
                ("judge stricter, half as much on anchors", _GOOD, _STRICTER, _ON_ANCHORS_HALF),
            ):
                truth = Culprit.SYSTEM if name == "system worse" else Culprit.JUDGE
                rates = (judge.rate(good), anchors.agreement(_GOOD))
                verdicts = Counter(_verdicts(streams, share, guard, rates))
                blamed = verdicts[truth] / sum(verdicts.values())
                measured = aimed and anchors is judge
                report.add(
                    "S6",
                    f"{name}, {share:.0%} anchors, guard {guard}: put down to the {truth.value}",
                    f"{blamed:.1%} of {sum(verdicts.values())} alarms",
                    ">= 95%" if measured else "",
                    met=blamed >= 0.95 if measured else None,
                )


def _verdicts(streams: int, share: float, guard: int, after: tuple[float, float]) -> list[Culprit]:
    """Of the streams that alarmed after the change, and not before it."""
    rng = np.random.default_rng(41)
    n_anchors = int(_PANE * share)
    sizes = (_PANE - n_anchors, n_anchors)
    before = (_USUAL.rate(_GOOD), _USUAL.agreement(_GOOD))
    verdicts = []
    for _ in range(streams):
        main, anchors = (
            _first_alarm(rng, size, (calm, moved), baseline)
            for size, calm, moved, baseline in zip(
                sizes, before, after, (_BASELINE, _BASELINE // 2), strict=True
            )
        )
        if _CALM <= main < _PANES:
            verdicts.append(_verdict(guard, sizes[0], main, anchors))
    return verdicts


def _verdict(guard: int, size: int, main: int, anchors: int) -> Culprit:
    now = Attribution(guard).observe(0, anchors_alarmed=anchors <= main)
    pane = main
    while now.culprit is Culprit.UNDECIDED:
        pane += 1
        now = now.observe(size, anchors_alarmed=anchors <= pane)
    return now.culprit


def _first_alarm(
    rng: np.random.Generator, size: int, rates: tuple[float, float], baseline: int
) -> int:
    """The pane in which the detector of one series alarms; beyond all panes if it does not."""
    held = int(rng.binomial(baseline, rates[0]))
    null = lower_bound([baseline - held, held], 0.05)
    passes = rng.binomial(size, np.where(np.arange(2 * _PANES) < _CALM, *rates))
    panes = np.stack([size - passes, passes], axis=1)
    detector = EDetector.for_drops(null, null * (1.0 - null))
    log_m: Floats = np.full(len(detector.bets), LOG_ZERO)
    for pane, increments in enumerate(detector.increments(panes)):
        log_m = step(log_m, increments)
        if log_evidence(log_m) >= _LIMIT:
            return pane
    return 2 * _PANES
