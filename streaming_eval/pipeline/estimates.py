"""Reports to estimates: intervals of all changed series at once, on their scorers' own scales."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streaming_eval.alerting import MonitorState, decide
from streaming_eval.pipeline.plan import MonitorPlan
from streaming_eval.pipeline.series_report import SeriesReport
from streaming_eval.records import SeriesKey
from streaming_eval.stats.interval import Interval
from streaming_eval.stats.levels import Floats, mean
from streaming_eval.stats.mixture_bet import MixtureBet

SINCE_BASELINE = "baseline"
NOTHING_KNOWN = Interval(0.0, 1.0)
# What a paired difference is likely to look like on [0, 1] before any is seen.
_PAIRED_MEAN, _PAIRED_VARIANCE = 0.5, 0.05


@dataclass(frozen=True, slots=True)
class IntervalPlan:
    """How intervals are made: one per window and one since the baseline.

    Attributes:
        alpha: error of each interval.
        expected_n: scores expected in a window, where the interval is tuned to be narrowest.
        window_label: the window's length as people write it.
    """

    alpha: float
    expected_n: int
    window_label: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """One series over one window, as published; values on the scorer's own scale.

    Attributes:
        window: label, or `baseline` for everything since the baseline.
        window_start_ms: None for `baseline` when the baseline is a constant.
        mean: None while nothing is known; then lower and upper are the whole range.
        effect: how far the mean lies from what it is compared with, with its interval. A model's
            own series is compared with its baseline, None while there is none; a paired series is
            itself the difference to the other model.
    """

    key: SeriesKey
    window: str
    window_start_ms: int | None
    closed: bool
    counts: tuple[int, ...]
    missing: int
    late: int
    mean: float | None
    lower: float
    upper: float
    alpha: float
    baseline_n: int
    baseline_mean: float | None
    effect: float | None
    effect_lower: float | None
    effect_upper: float | None
    log_evidence: float
    log_threshold: float
    state: MonitorState

    @property
    def n(self) -> int:
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class _Row:
    """One estimate to be made: the counts of one window of one report."""

    report: SeriesReport
    key: SeriesKey
    window: str
    window_start_ms: int | None
    closed: bool
    counts: tuple[int, ...]


def estimates(
    reports: Sequence[SeriesReport], plan: MonitorPlan, intervals: IntervalPlan
) -> list[Estimate]:
    """Every window of every report, with intervals computed together for equal grids."""
    keys = {r.series_key: SeriesKey.parse(r.series_key) for r in reports}
    rows = [row for r in reports for row in _rows(r, keys[r.series_key], intervals.window_label)]
    groups: dict[tuple[int, bool], list[_Row]] = defaultdict(list)
    for row in rows:
        groups[len(row.counts), bool(row.key.against)].append(row)
    return [
        estimate
        for (_, paired), group in groups.items()
        for estimate in _group(group, paired, plan, intervals)
    ]


def _rows(report: SeriesReport, key: SeriesKey, label: str) -> list[_Row]:
    rows = [_Row(report, key, label, w.start_ms, True, w.counts) for w in report.closed_windows]
    rows += [_Row(report, key, label, w.start_ms, False, w.counts) for w in report.windows]
    since = _Row(report, key, SINCE_BASELINE, report.baseline_end_ms, False, report.since_counts)
    return [*rows, since]


def _group(
    rows: Sequence[_Row], paired: bool, plan: MonitorPlan, intervals: IntervalPlan
) -> list[Estimate]:
    counts = np.array([row.counts for row in rows], np.int64)
    shown = _bet(intervals, paired, intervals.alpha).intervals(counts)
    current = _bet(intervals, paired, intervals.alpha / 2).intervals(counts)
    baseline = _baselines(rows, paired, plan, intervals)
    since = _since(rows, shown)
    return [
        _estimate(row, plan, intervals.alpha, since[row.report.series_key], now, halved, base)
        for row, now, halved, base in zip(rows, _each(shown), _each(current), baseline, strict=True)
    ]


def _each(bounds: tuple[Floats, Floats]) -> list[Interval]:
    return [Interval(float(low), float(high)) for low, high in zip(*bounds, strict=True)]


def _bet(intervals: IntervalPlan, paired: bool, alpha: float) -> MixtureBet:
    if paired:
        return MixtureBet(alpha, intervals.expected_n, _PAIRED_MEAN, _PAIRED_VARIANCE)
    return MixtureBet(alpha, intervals.expected_n)


def _since(rows: Sequence[_Row], shown: tuple[Floats, Floats]) -> dict[str, Interval]:
    return {
        row.report.series_key: interval
        for row, interval in zip(rows, _each(shown), strict=True)
        if row.window == SINCE_BASELINE
    }


def _baselines(
    rows: Sequence[_Row], paired: bool, plan: MonitorPlan, intervals: IntervalPlan
) -> list[tuple[float, Interval] | None]:
    """Mean and interval of each row's baseline on [0, 1]; None where there is none yet."""
    pinned = {
        row.report.series_key: row.report.baseline_counts
        for row in rows
        if row.report.baseline_end_ms is not None
    }
    known: dict[str, tuple[float, Interval]] = {}
    if pinned:
        counts = np.array(list(pinned.values()), np.int64)
        bounds = _bet(intervals, paired, intervals.alpha / 2).intervals(counts)
        known = {
            series: (float(m), Interval(float(low), float(high)))
            for series, m, low, high in zip(pinned, mean(counts), *bounds, strict=True)
        }
    for row in rows:
        constant = plan.series(row.key).baseline_constant
        if constant is not None:
            known[row.report.series_key] = (constant, Interval(constant, constant))
    return [known.get(row.report.series_key) for row in rows]


def _estimate(
    row: _Row,
    plan: MonitorPlan,
    alpha: float,
    since: Interval,
    shown: Interval,
    current: Interval,
    baseline: tuple[float, Interval] | None,
) -> Estimate:
    report, series, scale = row.report, plan.series(row.key), plan.scale(row.key)
    average = float(mean(row.counts)) if any(row.counts) else None
    lower, upper = sorted(scale.raw([shown.lower, shown.upper]).tolist())
    own = None if average is None else float(scale.raw(average))
    effect: tuple[float | None, float | None, float | None] = (None, None, None)
    if row.key.against and own is not None:
        effect = (own, lower, upper)
    elif baseline is not None and average is not None:
        effect = _effect(average, current, *baseline, scale.raw([0.0, 1.0]).tolist())
    return Estimate(
        key=row.key,
        window=row.window,
        window_start_ms=row.window_start_ms,
        closed=row.closed,
        counts=row.counts,
        missing=report.n_missing,
        late=report.n_late,
        mean=own,
        lower=lower,
        upper=upper,
        alpha=alpha,
        baseline_n=sum(report.baseline_counts),
        baseline_mean=None if baseline is None else float(scale.raw(baseline[0])),
        effect=effect[0],
        effect_lower=effect[1],
        effect_upper=effect[2],
        log_evidence=report.log_evidence,
        log_threshold=series.log_threshold,
        state=decide(
            pinned=report.pinned,
            alarmed=series.alarm and report.alarm is not None,
            log_evidence=report.log_evidence,
            interval=since,
            plan=series,
        ),
    )


def _effect(
    average: float, current: Interval, base: float, bounds: Interval, ends: list[float]
) -> tuple[float, float, float]:
    """Change against the baseline on the own scale: each side's interval at half the error."""
    factor = ends[1] - ends[0]
    changes = (current.lower - bounds.upper, current.upper - bounds.lower)
    low, high = sorted(change * factor for change in changes)
    return (average - base) * factor, low, high
