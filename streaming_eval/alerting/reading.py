"""What may be shown of a series: pure functions of its state."""

from __future__ import annotations

from streaming_eval.alerting.alarm import ChangeEstimate
from streaming_eval.alerting.baseline import Baseline
from streaming_eval.alerting.course import began, course, total, weighed
from streaming_eval.alerting.detector import constant
from streaming_eval.alerting.detector import null_mean as detector_null_mean
from streaming_eval.alerting.plan import SeriesPlan
from streaming_eval.alerting.state import Pane, SeriesState
from streaming_eval.stats.baseline import missing
from streaming_eval.stats.e_detector import LOG_ZERO, Track, log_evidence


def pinned(state: SeriesState, plan: SeriesPlan) -> bool:
    """Whether there is a baseline, be it too small to compare with."""
    return in_force(state.baseline, plan)


def in_force(baseline: Baseline, plan: SeriesPlan) -> bool:
    """Whether it is what the series is compared with, no longer being collected."""
    return baseline.version > 0 or constant(baseline, plan) is not None


def baseline_missing(state: SeriesState, plan: SeriesPlan) -> int:
    """How many scores the baseline lacks; 0 once there are enough."""
    if constant(state.baseline, plan) is not None or plan.baseline_samples is None:
        return 0
    return missing(state.baseline.counts, plan.baseline_samples)


def comparable(state: SeriesState, plan: SeriesPlan) -> bool:
    """Whether there is a baseline that is large enough, so that the detector ticks."""
    return pinned(state, plan) and not baseline_missing(state, plan)


def baseline_mean(state: SeriesState, plan: SeriesPlan) -> float | None:
    """Mean of the baseline on [0, 1], all hours together; None while it is being collected."""
    known = constant(state.baseline, plan)
    if known is not None or not pinned(state, plan):
        return known
    return float(plan.grid.mean(state.baseline.all_day(plan.grid.cells)))


def null_mean(state: SeriesState, start_ms: int, plan: SeriesPlan) -> float | None:
    """Smallest mean on [0, 1] that is not called a drop; None while nothing is compared."""
    if not comparable(state, plan):
        return None
    return detector_null_mean(state.baseline, start_ms, plan)


def since_baseline(state: SeriesState, plan: SeriesPlan) -> Pane:
    """Every score since the baseline; nothing while there is none."""
    start_ms = state.since_ms or 0
    if not pinned(state, plan):
        return Pane(start_ms, (0,) * plan.grid.cells)
    ahead = [pane for pane in looked_at(state, plan) if state.counts_since(pane)]
    counts = total(plan.grid.cells, (state.since_counts, *(pane.counts for pane in ahead)))
    return Pane(start_ms, counts, state.since_missing + sum(pane.missing for pane in ahead))


def sliding_window(state: SeriesState, width_ms: int, plan: SeriesPlan) -> Pane | None:
    """The tumbling windows of the last `width_ms` up to the newest, together; None before any."""
    windows = (*state.past_windows, *state.windows)
    if not windows:
        return None
    begin_ms = windows[-1].start_ms + plan.window_ms - width_ms
    inside = [window for window in windows if window.start_ms >= begin_ms]
    counts = total(plan.grid.cells, (window.counts for window in inside))
    return Pane(begin_ms, counts, sum(window.missing for window in inside))


def evidence(state: SeriesState, plan: SeriesPlan) -> float:
    """Log evidence of a drop, now; -700 stands for none, also where lower is not worse."""
    if not (plan.judged and comparable(state, plan)):
        return LOG_ZERO
    return float(log_evidence(_now(state, plan).log_m))


def change_estimate(state: SeriesState, plan: SeriesPlan) -> ChangeEstimate | None:
    """When the drop most likely began; None when nothing points to one."""
    if not (plan.judged and comparable(state, plan)):
        return None
    return began(_now(state, plan))


def looked_at(state: SeriesState, plan: SeriesPlan) -> tuple[Pane, ...]:
    """The open panes that may be looked at: all, or none where panes must mature."""
    return state.open_panes if plan.looks_early else ()


def _now(state: SeriesState, plan: SeriesPlan) -> Track:
    """The track continued over the open panes, as if they closed as they are."""
    now = course(state).track
    for pane in weighed(looked_at(state, plan), state, plan):
        now = now.tick(pane.pane.start_ms, pane.pane.n, pane.increments)
    return now
