"""Reports to estimates: intervals of all changed series at once, on their scorers' own scales."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from streaming_eval.alerting import DriftPlan, decide, decide_drift
from streaming_eval.alerting.detector import constant
from streaming_eval.pipeline.drift_words import cells_in_words
from streaming_eval.pipeline.estimate import DriftEstimate, Estimate
from streaming_eval.pipeline.intervals import Intervals
from streaming_eval.pipeline.plan import MonitorPlan
from streaming_eval.pipeline.quantiles import quantiles
from streaming_eval.pipeline.series_report import SeriesReport
from streaming_eval.pipeline.window_rows import SINCE_BASELINE, WindowRow, rows_of
from streaming_eval.records import SeriesKey
from streaming_eval.stats.difference import independent_difference
from streaming_eval.stats.e_detector import LOG_ZERO
from streaming_eval.stats.grid import Grid
from streaming_eval.stats.interval import Interval
from streaming_eval.stats.levels import Scale
from streaming_eval.stats.running_mean import Prediction

NOTHING_KNOWN = Interval(0.0, 1.0)


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
class _Known:
    """What a window is compared with, on [0, 1]."""

    mean: float
    interval: Interval


def estimates(
    reports: Sequence[SeriesReport], plan: MonitorPlan, intervals: IntervalPlan
) -> list[Estimate]:
    """Every window of every report, with intervals computed together for equal grids."""
    keys = {r.series_key: SeriesKey.parse(r.series_key) for r in reports}
    rows = [
        row
        for r in reports
        for row in rows_of(
            r, keys[r.series_key], plan.series(keys[r.series_key]), intervals.window_label
        )
    ]
    groups: dict[tuple[Grid, bool], list[WindowRow]] = defaultdict(list)
    for row in rows:
        groups[row.plan.grid, bool(row.key.against)].append(row)
    return [
        estimate
        for (grid, paired), group in groups.items()
        for estimate in _group(
            group, Intervals(intervals.expected_n, grid, paired), intervals.alpha, plan
        )
    ]


def _group(
    rows: Sequence[WindowRow], make: Intervals, alpha: float, plan: MonitorPlan
) -> list[Estimate]:
    counts = [row.scores.counts for row in rows]
    means, expected = make.grid.mean(counts), [_expected(row, make) for row in rows]
    shown, halved = (make.of(counts, expected, part) for part in (alpha, alpha / 2))
    known = _comparators(rows, make, alpha / 2)
    since = {
        row.report.series_key: interval
        for row, interval in zip(rows, shown, strict=True)
        if row.window == SINCE_BASELINE
    }
    found = [
        _estimate(
            row,
            _shown(row.key, plan),
            _Window(average, now, half, known[n], since[row.report.series_key], alpha),
        )
        for n, (row, average, now, half) in enumerate(
            zip(rows, means.tolist(), shown, halved, strict=True)
        )
    ]
    of_rows = quantiles(rows, plan, alpha, make.expected_n)
    return [replace(e, quantiles=of_row) for e, of_row in zip(found, of_rows, strict=True)]


def _expected(row: WindowRow, make: Intervals) -> Prediction | None:
    """What scores since a baseline were likely to be; None for a window."""
    if row.window != SINCE_BASELINE:
        return None
    return make.expectation(row.comparator, constant(row.report.baseline, row.plan))


def _comparators(rows: Sequence[WindowRow], make: Intervals, alpha: float) -> list[_Known | None]:
    """What each row is compared with; None where there is nothing yet. Each is computed once."""
    wanted = {row.comparator: None for row in rows}
    wanted.pop((), None)
    distinct = [counts for counts in wanted if any(counts)]
    bounds = make.of(distinct, [None] * len(distinct), alpha)
    means = make.grid.mean(distinct).tolist() if distinct else []
    counted = {
        counts: _Known(average, interval)
        for counts, average, interval in zip(distinct, means, bounds, strict=True)
    }
    return [counted.get(row.comparator) or _constant(row) for row in rows]


def _constant(row: WindowRow) -> _Known | None:
    known = constant(row.report.baseline, row.plan)
    return None if known is None else _Known(known, Interval(known, known))


@dataclass(frozen=True, slots=True)
class _Window:
    """What is computed of one row, on [0, 1].

    Attributes:
        mean: NaN for no scores.
        halved: the interval with half the error.
        since: the interval since the baseline, of the same series.
    """

    mean: float
    interval: Interval
    halved: Interval
    baseline: _Known | None
    since: Interval
    alpha: float


@dataclass(frozen=True, slots=True)
class _Shown:
    """How a series is shown: on its own scale, or as categories, which have no mean.

    Attributes:
        unit: of a quantity; empty for others.
    """

    scale: Scale
    categories: tuple[str, ...]
    unit: str


def _shown(key: SeriesKey, plan: MonitorPlan) -> _Shown:
    return _Shown(plan.scale(key), plan.categories(key), plan.quantities.get(key.scorer, ""))


def _estimate(row: WindowRow, shown: _Shown, window: _Window) -> Estimate:
    report, series, scale = row.report, row.plan, shown.scale
    known = None if shown.categories else window.baseline
    own_interval = _raw(window.interval, scale)
    lower, upper = own_interval.lower, own_interval.upper
    own = float(scale.raw(window.mean)) if row.scores.n and not shown.categories else None
    effect: tuple[float | None, float | None, float | None] = (None, None, None)
    if row.key.against and own is not None:
        effect = (own, lower, upper)
    elif known is not None and own is not None:
        effect = _effect(window, known, scale)
    return Estimate(
        key=row.key,
        window=row.window,
        window_start_ms=row.window_start_ms,
        closed=row.closed,
        counts=row.scores.counts,
        missing=row.scores.missing,
        late=report.n_late,
        mean=own,
        lower=lower,
        upper=upper,
        alpha=window.alpha,
        baseline_n=report.baseline.n,
        baseline_version=report.baseline.version,
        baseline_missing=report.baseline_missing,
        baseline_mean=None if known is None else float(scale.raw(known.mean)),
        effect=effect[0],
        effect_lower=effect[1],
        effect_upper=effect[2],
        log_evidence=report.log_evidence,
        log_threshold=series.log_threshold,
        state=decide(
            comparable=report.pinned and not report.baseline_missing,
            alarmed=series.alarm and report.alarm is not None,
            log_evidence=report.log_evidence,
            interval=window.since,
            plan=series,
        ),
        drift=_drift(report, series.drift, shown),
    )


def _drift(report: SeriesReport, plan: DriftPlan | None, shown: _Shown) -> DriftEstimate | None:
    if plan is None:
        return None
    drift, comparable = report.drift, report.pinned and not report.baseline_missing
    evidence = LOG_ZERO if drift is None else drift.log_evidence
    state = decide_drift(
        comparable=comparable and drift is not None,
        alarmed=drift is not None and drift.alarm is not None,
        log_evidence=evidence,
        n=report.since.n,
        plan=plan,
    )
    cells: tuple[str, ...] = ()
    if drift is not None:
        cells = cells_in_words(drift, shown.scale, shown.categories, shown.unit)
    return DriftEstimate(evidence, plan.log_threshold, state, cells)


def _effect(window: _Window, baseline: _Known, scale: Scale) -> tuple[float, float, float]:
    """Change against the baseline on the own scale: each side's interval at half the error."""
    change = float(scale.raw(window.mean) - scale.raw(baseline.mean))
    limits = independent_difference(_raw(window.halved, scale), _raw(baseline.interval, scale))
    return change, limits.lower, limits.upper


def _raw(interval: Interval, scale: Scale) -> Interval:
    """The interval on the own scale, where 1 may be the lower end."""
    return Interval(*sorted(scale.raw([interval.lower, interval.upper]).tolist()))
