"""Monitors: what is kept of a series, how it takes in counts, and what may be said of it."""

from streaming_eval.alerting.decision import MonitorState, baseline_missing, decide
from streaming_eval.alerting.monitor import close, expire, observe
from streaming_eval.alerting.plan import SeriesPlan, Thresholds, fleet_thresholds
from streaming_eval.alerting.reading import (
    baseline_mean,
    change_estimate,
    evidence,
    null_mean,
    pinned,
    since_baseline,
)
from streaming_eval.alerting.state import Alarm, ChangeEstimate, Pane, SeriesState

__all__ = [
    "Alarm",
    "ChangeEstimate",
    "MonitorState",
    "Pane",
    "SeriesPlan",
    "SeriesState",
    "Thresholds",
    "baseline_mean",
    "baseline_missing",
    "change_estimate",
    "close",
    "decide",
    "evidence",
    "expire",
    "fleet_thresholds",
    "null_mean",
    "observe",
    "pinned",
    "since_baseline",
]
