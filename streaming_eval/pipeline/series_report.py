"""What the stateful step says of one series after a batch: enough to show and page, no more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from streaming_eval.alerting import (
    Alarm,
    Baseline,
    Pane,
    SeriesPlan,
    SeriesState,
    Transition,
    baseline_missing,
    drift_reading,
    evidence,
    pinned,
    since_baseline,
    sliding_window,
)
from streaming_eval.alerting.drift import shares
from streaming_eval.stats.drift import CellEvidence


@dataclass(frozen=True, slots=True)
class SlidingWindow:
    """The last `width_ms` of a series, up to the newest tumbling window."""

    width_ms: int
    window: Pane


@dataclass(frozen=True, slots=True)
class DriftReport:
    """The distribution of a series after one batch.

    Attributes:
        log_evidence: of a drift, now, open panes included.
        alarm: the open one.
        edges: upper ends of its ordered cells but the last, on [0, 1]; empty for categories.
        cells: those that speak most for a drift, strongest first.
        shares: of the baseline in each cell.
    """

    log_evidence: float
    alarm: Alarm | None
    edges: tuple[float, ...]
    cells: tuple[CellEvidence, ...]
    shares: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class SeriesReport:
    """One series after one batch; counts are per cell of its grid, 1 on [0, 1] being good.

    Attributes:
        windows: open tumbling windows, the newest last.
        closed_windows: windows that closed with this batch and are reported for the last time.
        sliding_windows: of each configured width, once there is a window.
        since: every score since the baseline; all 0 while there is none.
        since_ms: where that begins; None when it is everything, or nothing yet.
        baseline: what the series is compared with, or what has been collected for it.
        pinned: whether there is a baseline.
        baseline_missing: scores that it lacks to be compared with.
        log_evidence: of a drop, now, open panes included.
        alarm: the open one.
        baseline_is_new: the baseline was pinned or promoted by this batch.
        transitions: what this batch did to alerts.
        state_bytes: size of the state that was written.
        n_late_new: scores of this batch that came late.
        decisions_unfit: decisions of this batch that do not fit the series any more.
        drift: None where no distribution is watched, or there is none to compare it with.
    """

    series_key: str
    windows: tuple[Pane, ...]
    closed_windows: tuple[Pane, ...]
    sliding_windows: tuple[SlidingWindow, ...]
    since: Pane
    since_ms: int | None
    baseline: Baseline
    pinned: bool
    baseline_missing: int
    log_evidence: float
    alarm: Alarm | None
    baseline_is_new: bool
    transitions: tuple[Transition, ...]
    n_total: int
    n_missing: int
    n_late: int
    state_bytes: int = 0
    n_late_new: int = 0
    decisions_unfit: int = 0
    drift: DriftReport | None = None


@dataclass(frozen=True, slots=True)
class Advance:
    """What one batch did to one series.

    Attributes:
        closed: windows that closed with it.
        state_bytes: size of the state that was written.
        decisions_unfit: decisions that do not fit the series any more.
    """

    series_key: str
    before: SeriesState
    after: SeriesState
    closed: tuple[Pane, ...]
    state_bytes: int = 0
    decisions_unfit: int = 0


def report(advance: Advance, plan: SeriesPlan) -> SeriesReport:
    """The report on a series after a batch."""
    before, after = advance.before, advance.after
    sliding = ((width_ms, sliding_window(after, width_ms, plan)) for width_ms in plan.sliding_ms)
    return SeriesReport(
        series_key=advance.series_key,
        windows=after.windows,
        closed_windows=advance.closed,
        sliding_windows=tuple(SlidingWindow(ms, window) for ms, window in sliding if window),
        since=since_baseline(after, plan),
        since_ms=after.since_ms,
        baseline=after.baseline,
        pinned=pinned(after, plan),
        baseline_missing=baseline_missing(after, plan),
        log_evidence=evidence(after, plan),
        alarm=after.alarm,
        baseline_is_new=after.baseline.version > before.baseline.version,
        transitions=after.transitions,
        n_total=after.n_total,
        n_missing=after.n_missing,
        n_late=after.n_late,
        state_bytes=advance.state_bytes,
        n_late_new=after.n_late - before.n_late,
        decisions_unfit=advance.decisions_unfit,
        drift=_drift_report(after, plan),
    )


def _drift_report(state: SeriesState, plan: SeriesPlan) -> DriftReport | None:
    if not state.drift.version:
        return None
    evidence_now, cells = drift_reading(state, plan)
    drift = state.drift
    return DriftReport(evidence_now, drift.alarm, drift.edges, cells, shares(drift))


def one_per_series(reports: Iterable[SeriesReport]) -> list[SeriesReport]:
    """The last report on each series, with what its earlier ones announced.

    A batch advances a series once for its rows and once for each of its timers that expires.

    Args:
        reports: of one batch; those on one series in order.
    """
    latest: dict[str, SeriesReport] = {}
    for new in reports:
        old = latest.get(new.series_key)
        latest[new.series_key] = new if old is None else _joined(old, new)
    return list(latest.values())


def _joined(old: SeriesReport, new: SeriesReport) -> SeriesReport:
    return replace(
        new,
        closed_windows=old.closed_windows + new.closed_windows,
        baseline_is_new=old.baseline_is_new or new.baseline_is_new,
        transitions=old.transitions + new.transitions,
        n_late_new=old.n_late_new + new.n_late_new,
        decisions_unfit=old.decisions_unfit + new.decisions_unfit,
    )
