"""What to say of a series now."""

from __future__ import annotations

from enum import StrEnum

from streaming_eval.alerting.drift import DriftPlan
from streaming_eval.alerting.plan import SeriesPlan
from streaming_eval.stats.interval import Interval


class MonitorState(StrEnum):
    """The verdict on a series, worst last."""

    INSUFFICIENT = "insufficient"
    OK = "ok"
    SUSPECT = "suspect"
    REGRESSED = "regressed"


class DriftState(StrEnum):
    """The verdict on a distribution, worst last."""

    INSUFFICIENT = "insufficient"
    OK = "ok"
    SUSPECT = "suspect"
    DRIFTED = "drifted"


def decide_drift(
    *, comparable: bool, alarmed: bool, log_evidence: float, n: int, plan: DriftPlan
) -> DriftState:
    """The verdict on a distribution, bad news first.

    Args:
        comparable: whether there is a baseline with a distribution, and it is large enough.
        alarmed: whether an alarm of drift is open.
        log_evidence: of a drift, now.
        n: scores since the baseline.
        plan: how the distribution is watched.
    """
    if alarmed:
        return DriftState.DRIFTED
    if log_evidence >= plan.log_suspect:
        return DriftState.SUSPECT
    if not comparable or n < plan.enough:
        return DriftState.INSUFFICIENT
    return DriftState.OK


def decide(
    *, comparable: bool, alarmed: bool, log_evidence: float, interval: Interval, plan: SeriesPlan
) -> MonitorState:
    """The verdict: bad news first, then whether enough is known to call it good news.

    Args:
        comparable: whether there is a baseline to be worse than, and it is large enough.
        alarmed: whether an alarm is open.
        log_evidence: of a drop, now.
        interval: of the mean since the baseline, on [0, 1].
        plan: how the series is watched.
    """
    if alarmed:
        return MonitorState.REGRESSED
    if log_evidence >= plan.log_suspect:
        return MonitorState.SUSPECT
    if not comparable or interval.half_width > plan.smallest_effect:
        return MonitorState.INSUFFICIENT
    return MonitorState.OK
