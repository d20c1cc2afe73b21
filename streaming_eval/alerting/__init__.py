"""Monitors: what is kept of a series, how it takes in counts, and what may be said of it."""

from streaming_eval.alerting.alarm import (
    Alarm,
    AlertKind,
    ChangeEstimate,
    Resolution,
    Transition,
    Why,
)
from streaming_eval.alerting.baseline import NO_BASELINE, Baseline
from streaming_eval.alerting.decisions import Decision, fits
from streaming_eval.alerting.detector import bounds
from streaming_eval.alerting.drift import DriftPlan
from streaming_eval.alerting.drift_course import drift_reading
from streaming_eval.alerting.monitor import close, expire, observe, wake_at
from streaming_eval.alerting.plan import SeriesPlan, Thresholds, fleet_thresholds
from streaming_eval.alerting.reading import (
    baseline_mean,
    baseline_missing,
    change_estimate,
    comparable,
    evidence,
    null_mean,
    pinned,
    since_baseline,
    sliding_window,
)
from streaming_eval.alerting.state import Pane, SeriesState
from streaming_eval.alerting.verdict import DriftState, MonitorState, decide, decide_drift

__all__ = [
    "NO_BASELINE",
    "Alarm",
    "AlertKind",
    "Baseline",
    "ChangeEstimate",
    "Decision",
    "DriftPlan",
    "DriftState",
    "MonitorState",
    "Pane",
    "Resolution",
    "SeriesPlan",
    "SeriesState",
    "Thresholds",
    "Transition",
    "Why",
    "baseline_mean",
    "baseline_missing",
    "bounds",
    "change_estimate",
    "close",
    "comparable",
    "decide",
    "decide_drift",
    "drift_reading",
    "evidence",
    "expire",
    "fits",
    "fleet_thresholds",
    "null_mean",
    "observe",
    "pinned",
    "since_baseline",
    "sliding_window",
    "wake_at",
]
