"""What to say of a series now."""

from __future__ import annotations

from enum import StrEnum

from streaming_eval.alerting.plan import SeriesPlan
from streaming_eval.alerting.reading import pinned
from streaming_eval.alerting.state import SeriesState
from streaming_eval.stats.interval import Interval


class MonitorState(StrEnum):
    """The verdict on a series, worst last."""

    INSUFFICIENT = "insufficient"
    OK = "ok"
    SUSPECT = "suspect"
    REGRESSED = "regressed"


def decide(
    *, pinned: bool, alarmed: bool, log_evidence: float, interval: Interval, plan: SeriesPlan
) -> MonitorState:
    """The verdict: bad news first, then whether enough is known to call it good news.

    Args:
        pinned: whether there is a baseline to be worse than.
        alarmed: whether the alarm has opened.
        log_evidence: of a drop, now.
        interval: of the mean since the baseline, on [0, 1].
        plan: how the series is watched.
    """
    if alarmed:
        return MonitorState.REGRESSED
    if log_evidence >= plan.log_suspect:
        return MonitorState.SUSPECT
    if not pinned or interval.half_width > plan.smallest_effect:
        return MonitorState.INSUFFICIENT
    return MonitorState.OK


def baseline_missing(state: SeriesState, plan: SeriesPlan) -> int:
    """How many scores in closed panes the baseline still needs; 0 once it is pinned."""
    if pinned(state, plan) or plan.baseline_samples is None:
        return 0
    return plan.baseline_samples - sum(state.baseline_counts)
