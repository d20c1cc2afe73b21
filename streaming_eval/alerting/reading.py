"""What may be shown of a series: pure functions of its state, open panes included."""

from __future__ import annotations

from streaming_eval.alerting.course import began, follow, total, track
from streaming_eval.alerting.detector import detector
from streaming_eval.alerting.plan import SeriesPlan
from streaming_eval.alerting.state import ChangeEstimate, SeriesState
from streaming_eval.stats.e_detector import LOG_ZERO, Track, log_evidence
from streaming_eval.stats.levels import mean


def pinned(state: SeriesState, plan: SeriesPlan) -> bool:
    """Whether there is a baseline to compare with."""
    return plan.baseline_constant is not None or state.baseline_end_ms is not None


def baseline_mean(state: SeriesState, plan: SeriesPlan) -> float | None:
    """Mean of the baseline on [0, 1]; None while it is being collected."""
    if plan.baseline_constant is not None:
        return plan.baseline_constant
    return float(mean(state.baseline_counts)) if pinned(state, plan) else None


def null_mean(state: SeriesState, plan: SeriesPlan) -> float | None:
    """Smallest mean on [0, 1] that is not called a drop; None while there is no baseline."""
    if not pinned(state, plan):
        return None
    return detector(state.baseline_counts, plan).null_mean


def since_baseline(state: SeriesState, plan: SeriesPlan) -> tuple[int, ...]:
    """Counts of every score after the baseline; all 0 while there is none."""
    if not pinned(state, plan):
        return (0,) * plan.levels
    return total(plan.levels, (state.since_counts, *(pane.counts for pane in state.open_panes)))


def evidence(state: SeriesState, plan: SeriesPlan) -> float:
    """Log evidence of a drop, now; -700 stands for none."""
    if not pinned(state, plan):
        return LOG_ZERO
    return float(log_evidence(_now(state, plan).log_m))


def change_estimate(state: SeriesState, plan: SeriesPlan) -> ChangeEstimate | None:
    """When the drop most likely began; None when nothing points to one."""
    if not pinned(state, plan):
        return None
    return began(_now(state, plan))


def _now(state: SeriesState, plan: SeriesPlan) -> Track:
    """The track continued over the open panes, as if they closed as they are."""
    now = track(state)
    ahead = follow(now, state.open_panes, detector(state.baseline_counts, plan))
    return [now, *(later for _, later in ahead)][-1]
