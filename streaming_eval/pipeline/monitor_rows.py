"""Estimates and alerts as Arrow tables with the columns of their Delta tables."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from streaming_eval.adapters.schemas import ALERTS, ESTIMATES
from streaming_eval.alerting import AlertKind, Transition
from streaming_eval.pipeline.estimate import DriftEstimate, Estimate
from streaming_eval.pipeline.score_rows import instant
from streaming_eval.records import SeriesKey


@dataclass(frozen=True, slots=True)
class AlertStep:
    """An alert that has just been opened or resolved.

    Attributes:
        since: the estimate since the baseline at that moment.
        at_ms: wall-clock time, epoch milliseconds.
        sample_ids: of an opening, samples since the estimated beginning that scored worst, worst
            first.
        n_scored: scores of the series so far.
    """

    transition: Transition
    since: Estimate
    at_ms: int
    sample_ids: Sequence[str] = ()
    n_scored: int = 0

    @property
    def drifted(self) -> bool:
        """Whether it is about the distribution."""
        return self.transition.alarm.kind is AlertKind.DRIFT

    @property
    def log_threshold(self) -> float:
        """The evidence at which it opened."""
        if self.drifted and self.since.drift is not None:
            return self.since.drift.log_threshold
        return self.since.log_threshold

    @property
    def alert_id(self) -> str:
        """Follows from the series and the pane that opened it, so a repeated batch repeats it."""
        alarm = self.transition.alarm
        text = f"{self.since.key}|{alarm.opened_ms}|{alarm.kind}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def estimates_table(estimates: Sequence[Estimate], batch_id: int, now_ms: int) -> pa.Table:
    """One row per estimate, columns as in `ESTIMATES`."""
    now = instant(now_ms)
    rows = [
        {
            **series_columns(e.key),
            "window": e.window,
            "window_start": None if e.window_start_ms is None else instant(e.window_start_ms),
            "closed": e.closed,
            "n": e.n,
            "missing": e.missing,
            "late": e.late,
            "mean": e.mean,
            "lower": e.lower,
            "upper": e.upper,
            "alpha": e.alpha,
            "counts": e.counts,
            "baseline_n": e.baseline_n,
            "baseline_version": e.baseline_version,
            "baseline_missing": e.baseline_missing,
            "baseline_mean": e.baseline_mean,
            "effect": e.effect,
            "effect_lower": e.effect_lower,
            "effect_upper": e.effect_upper,
            "log_evidence": e.log_evidence,
            "log_threshold": e.log_threshold,
            "state": e.state.value,
            **_drift(e.drift),
            "quantiles": [asdict(quantile) for quantile in e.quantiles] or None,
            "updated_at": now,
            "updated_date": now.date(),
            "batch_id": batch_id,
        }
        for e in estimates
    ]
    return pa.Table.from_pylist(rows, schema=ESTIMATES)


def _drift(drift: DriftEstimate | None) -> Mapping[str, object]:
    if drift is None:
        return {}
    return {
        "drift_log_evidence": drift.log_evidence,
        "drift_log_threshold": drift.log_threshold,
        "drift_state": drift.state.value,
        "drift_cells": list(drift.cells),
    }


def alert_rows(steps: Sequence[AlertStep], batch_id: int) -> list[Mapping[str, Any]]:
    """One row per step of an alert, with the columns of `ALERTS` that the step itself knows."""
    return [
        {
            "alert_id": step.alert_id,
            "kind": step.transition.alarm.kind.value,
            **series_columns(step.since.key),
            "opened_pane": instant(step.transition.alarm.opened_ms),
            "began_at": instant(step.transition.alarm.began_ms),
            "n_since_began": step.transition.alarm.n_since_began,
            "n_scored": step.n_scored,
            "mean_since_baseline": step.since.mean,
            "lower": step.since.lower,
            "upper": step.since.upper,
            "baseline_n": step.since.baseline_n,
            "baseline_mean": step.since.baseline_mean,
            "log_evidence": step.transition.alarm.log_evidence,
            "log_threshold": step.log_threshold,
            "sample_ids": list(step.sample_ids),
            "drift_cells": list(step.since.drift.cells)
            if step.drifted and step.since.drift
            else None,
            "culprit": None,
            "attributed_at": None,
            "batch_id": batch_id,
            **_status(step),
        }
        for step in steps
    ]


def alerts_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """The rows with all columns of `ALERTS`; what a row does not know is null."""
    return pa.Table.from_pylist(list(rows), schema=ALERTS)


def _status(step: AlertStep) -> Mapping[str, object]:
    resolution, at = step.transition.resolution, instant(step.at_ms)
    if resolution is None:
        return {"revision": 0, "status": "opened", "opened_at": at}
    return {
        "revision": 1,
        "status": "resolved",
        "resolved_at": at,
        "resolved_pane": instant(resolution.at_ms),
        "why": resolution.why.value,
        "who": resolution.who or None,
        "reason": resolution.reason or None,
    }


def series_columns(key: SeriesKey) -> Mapping[str, str]:
    """The columns that name a series in every table of the monitor."""
    return {
        "series_key": str(key),
        "model": key.model,
        "segment": key.segment,
        "scorer": key.scorer,
        "evaluation_version": key.evaluation_version,
        "against": key.against,
    }
