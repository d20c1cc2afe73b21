"""How soon a drop is found and how rarely there is none, beside one who knows both mixes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.report import Report
from benchmarks.stats import oracle
from benchmarks.stats.rules import (
    Cusum,
    Detector,
    ECusum,
    PageHinkley,
    RollingZ,
    Rule,
    delays,
    first_alarms,
)
from streaming_eval.stats.e_detector import EDetector
from streaming_eval.stats.levels import Floats, level_values

_CHANGE = 1_000
_BUDGETS = (1e4, 1e5, 1e6, 1e7)  # scores per false alarm
_FOREVER = 2_000_000


@dataclass(frozen=True, slots=True)
class Drop:
    """Mixes of levels before and after, and their name."""

    name: str
    before: Floats
    after: Floats

    def detectors(self, streams: int, *, knows_variance: bool = True) -> list[EDetector]:
        mean = float(self.before @ level_values(len(self.before)))
        variance = mean * (1 - mean) if knows_variance else None
        return [EDetector.for_drops(mean, variance)] * streams


_DROPS = (
    Drop("pass .90 -> .85", np.array([0.10, 0.90]), np.array([0.15, 0.85])),
    Drop("pass .90 -> .88", np.array([0.10, 0.90]), np.array([0.12, 0.88])),
    Drop("judge .75 -> .70", np.array([0.15, 0.20, 0.65]), np.array([0.19, 0.22, 0.59])),
)


def run(directory: Path, report: Report, *, quick: bool) -> None:
    """False alarms against the promise, delays against the oracle, other rules beside it."""
    _run_lengths(report, 20 if quick else 400)
    for drop in _DROPS:
        _delays(report, drop, 50 if quick else 1_000)
    _others(report, 30 if quick else 400)


def _run_lengths(report: Report, streams: int) -> None:
    drop, rng = _DROPS[0], np.random.default_rng(11)
    clean = (drop.before, drop.before)
    ours = Detector(drop.detectors(streams), levels=2)
    lengths = first_alarms(ours, clean, 0, _FOREVER, [np.log(1e4)], rng)[0]
    error = float(lengths.std() / streams**0.5)
    report.add(
        "S3",
        "scores per false alarm at A = 1e4, no calibration",
        f"{lengths.mean():,.0f} (s.e. {error:,.0f})",
        ">= 10,000",
        met=bool(lengths.mean() + 3 * error >= 1e4),
    )
    ours = Detector(drop.detectors(streams), levels=2)
    limits = np.log([1e5, 1e6])
    early = np.isfinite(first_alarms(ours, clean, 0, 20_000, limits.tolist(), rng)).mean(axis=1)
    for budget, share in zip((1e5, 1e6), early, strict=True):
        promised = 20_000 / budget
        report.add(
            "S3",
            f"streams with a false alarm in 20,000 scores at A = {budget:.0e}",
            f"{share:.1%}",
            f"<= {promised:.0%}",
            met=bool(share <= promised + 3 * (promised / streams) ** 0.5),
        )


def _delays(report: Report, drop: Drop, streams: int) -> None:
    report.progress(f"delays: {drop.name}")
    limits = [oracle.limit_for(budget, drop.before, drop.after) for budget in _BUDGETS]
    rate = oracle.gains(drop.before, drop.after)
    for change, most in ((_CHANGE, 1.25), (0, 1.40)):
        best = _mean_delays(Cusum(rate, streams), drop, change, limits)
        for name, rule, budgets in _variants(drop, streams, change):
            ours = _mean_delays(rule, drop, change, [np.log(b) for b in budgets])
            ratios = ours / best
            measured = ", ".join(
                f"{mean:.0f} ({r:.2f}x)" for mean, r in zip(ours, ratios, strict=True)
            )
            report.add(
                "S3",
                f"{drop.name}, change at {change}: mean delay, {name}, A = 1e4 ... 1e7",
                f"{measured}; oracle {', '.join(f'{mean:.0f}' for mean in best)}",
                f"<= {most}x",
                met=bool((ratios <= most).all()),
            )


def _variants(drop: Drop, streams: int, change: int) -> list[tuple[str, Rule, tuple[float, ...]]]:
    levels = len(drop.before)
    known = drop.detectors(streams)
    variants: list[tuple[str, Rule, tuple[float, ...]]] = [
        ("pane 1", Detector(known, levels), _BUDGETS)
    ]
    if change:
        variants += [
            (f"pane {pane}", Detector(known, levels, pane), tuple(b / pane for b in _BUDGETS))
            for pane in (50, 200)
        ]
        blind = drop.detectors(streams, knows_variance=False)
        variants.append(("pane 1, no variance", Detector(blind, levels), _BUDGETS))
    return variants


def _mean_delays(rule: Rule, drop: Drop, change: int, limits: list[float]) -> Floats:
    rng = np.random.default_rng(12)
    lengths = first_alarms(rule, (drop.before, drop.after), change, 60_000, limits, rng)
    return np.array([delays(row, change).mean() for row in lengths])


def _others(report: Report, streams: int) -> None:
    drop = _DROPS[0]
    report.progress("other rules")
    for name, limit in (
        ("ours, A = 1e5", np.log(1e5)),
        ("e-CUSUM, same limit", np.log(1e5)),
        ("rolling mean of 500, 3 sigma", 3.0),
        ("rolling mean of 500, 2 sigma", 2.0),
        ("Page-Hinkley as river comes", 50.0),
    ):
        rng = np.random.default_rng(13)
        clean, dropped = (drop.before, drop.before), (drop.before, drop.after)
        false = first_alarms(_rule(name, drop, streams), clean, 0, 20_000, [limit], rng)[0]
        found = first_alarms(_rule(name, drop, streams), dropped, 2_000, 60_000, [limit], rng)[0]
        report.add(
            "S3",
            f"{drop.name}, beside it: {name}",
            f"{np.isfinite(false).mean():.1%} false in 20,000; mean delay "
            f"{delays(found, 2_000).mean():,.0f} of the {(found > 2_000).mean():.0%} quiet before",
        )


def _rule(name: str, drop: Drop, streams: int) -> Rule:
    if name.startswith("ours"):
        return Detector(drop.detectors(streams), levels=2)
    if name.startswith("e-CUSUM"):
        return ECusum(drop.detectors(streams), levels=2)
    if name.startswith("rolling"):
        return RollingZ(drop.before, streams)
    return PageHinkley(2, streams)
