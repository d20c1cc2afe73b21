"""Estimates with plausible values in every field that is not given."""

from __future__ import annotations

from typing import Any

from streaming_eval.alerting import MonitorState
from streaming_eval.pipeline.estimate import Estimate
from streaming_eval.records import ALL_SEGMENTS, SeriesKey

KEY = SeriesKey("assistant", ALL_SEGMENTS, "contains", "v1")


def estimate(key: SeriesKey = KEY, **changes: Any) -> Estimate:  # noqa: ANN401
    """One estimate of a window that begins at 300,000 ms."""
    values: dict[str, Any] = {
        "window": "5m", "window_start_ms": 300_000, "closed": False, "counts": (30, 70),
        "missing": 3, "late": 2, "mean": 0.7, "lower": 0.6, "upper": 0.8, "alpha": 0.05,
        "baseline_n": 200, "baseline_version": 1, "baseline_missing": 0,
        "baseline_mean": 0.9, "effect": -0.2, "effect_lower": -0.3,
        "effect_upper": -0.1, "log_evidence": 4.5, "log_threshold": 12.25,
        "state": MonitorState.OK,
    }  # fmt: skip
    return Estimate(key, **(values | changes))
