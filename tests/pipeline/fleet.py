"""Settings of a small fleet, to vary, and what the pipeline makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streaming_eval.pipeline.plan import MonitorPlan, monitor_plan
from streaming_eval.records import ALL_SEGMENTS, SeriesKey
from streaming_eval.settings import Settings

PANE_MS = 60_000
WINDOW_MS = 5 * PANE_MS
CAP_MS = 10_000
_JUDGE = {"endpoint": "models", "model": "j", "rubric": "Is it right?", "low": 1, "high": 3}
_FLEET: Mapping[str, Any] = {
    "version": 1,
    "production_models": ["assistant"],
    "endpoints": {"models": {"base_url": "http://127.0.0.1:9/v1"}},
    "candidates": [
        {"name": name, "endpoint": "models", "model": f"org/{name}"} for name in ("small", "large")
    ],
    "scorers": [
        {"kind": "contains"},
        {"kind": "latency_ms", "cap_ms": CAP_MS, "alarm": False},
        {"kind": "judge", "judge": _JUDGE},
    ],
    "segments": {"tier": ["pro", "free"]},
    "comparisons": [
        {
            "candidate": "small",
            "against": "large",
            "baseline": {"kind": "constant", "value": 0},
        },
        {"candidate": "small", "against": "production"},
    ],
    "monitor": {
        "pane": "1m",
        "window": "5m",
        "allowed_lateness": "1m",
        "baseline": {"kind": "pinned", "samples": 100},
    },
}


def settings(**changes: object) -> Settings:
    """The fleet's settings with other values for these keys."""
    return Settings.model_validate({**_FLEET, **changes})


def plan(**changes: object) -> MonitorPlan:
    return monitor_plan(settings(**changes))


def key(
    scorer: str = "contains",
    model: str = "assistant",
    segment: str = ALL_SEGMENTS,
    against: str = "",
) -> SeriesKey:
    """One of the fleet's series."""
    return SeriesKey(model, segment, scorer, VERSIONS[scorer], against)


VERSIONS: Mapping[str, str] = dict(plan().layout.scales.keys())
"""Scorer to its current evaluation version."""
