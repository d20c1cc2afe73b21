"""Estimates, alerts and baselines as Arrow tables with the columns of their Delta tables."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from streaming_eval.adapters.schemas import ALERTS, BASELINES, ESTIMATES
from streaming_eval.alerting import Alarm
from streaming_eval.pipeline.estimates import Estimate
from streaming_eval.pipeline.score_rows import instant
from streaming_eval.records import SeriesKey


@dataclass(frozen=True, slots=True)
class OpenedAlert:
    """An alarm that has just opened, with the evidence for it.

    Attributes:
        since: the estimate since the baseline at that moment.
        opened_ms: wall-clock time of the opening, epoch milliseconds.
        sample_ids: samples since the estimated beginning that scored worst, worst first.
    """

    alarm: Alarm
    since: Estimate
    opened_ms: int
    sample_ids: Sequence[str]

    @property
    def alert_id(self) -> str:
        """Follows from the series and the pane that opened it, so a repeated batch repeats it."""
        text = f"{self.since.key}|{self.alarm.opened_ms}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class PinnedBaseline:
    """A baseline that has just been pinned; means on the scorer's own scale."""

    key: SeriesKey
    counts: tuple[int, ...]
    mean: float
    lower_bound: float
    end_ms: int

    @property
    def baseline_id(self) -> str:
        """Follows from the series and where its baseline ends."""
        return hashlib.sha256(f"{self.key}|{self.end_ms}".encode()).hexdigest()[:16]


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
            "baseline_mean": e.baseline_mean,
            "effect": e.effect,
            "effect_lower": e.effect_lower,
            "effect_upper": e.effect_upper,
            "log_evidence": e.log_evidence,
            "log_threshold": e.log_threshold,
            "state": e.state.value,
            "updated_at": now,
            "updated_date": now.date(),
            "batch_id": batch_id,
        }
        for e in estimates
    ]
    return pa.Table.from_pylist(rows, schema=ESTIMATES)


def alerts_table(opened: Sequence[OpenedAlert], batch_id: int) -> pa.Table:
    """One row per opened alert, columns as in `ALERTS`."""
    rows = [
        {
            "alert_id": alert.alert_id,
            "revision": 0,
            "status": "opened",
            **series_columns(alert.since.key),
            "opened_at": instant(alert.opened_ms),
            "opened_pane": instant(alert.alarm.opened_ms),
            "began_at": instant(alert.alarm.began_ms),
            "n_since_began": alert.alarm.n_since_began,
            "mean_since_baseline": alert.since.mean,
            "lower": alert.since.lower,
            "upper": alert.since.upper,
            "baseline_n": alert.since.baseline_n,
            "baseline_mean": alert.since.baseline_mean,
            "log_evidence": alert.alarm.log_evidence,
            "log_threshold": alert.since.log_threshold,
            "sample_ids": list(alert.sample_ids),
            "batch_id": batch_id,
        }
        for alert in opened
    ]
    return pa.Table.from_pylist(rows, schema=ALERTS)


def baselines_table(pinned: Sequence[PinnedBaseline], batch_id: int, now_ms: int) -> pa.Table:
    """One row per pinned baseline, columns as in `BASELINES`."""
    rows = [
        {
            "baseline_id": baseline.baseline_id,
            **series_columns(baseline.key),
            "kind": "pinned",
            "n": sum(baseline.counts),
            "counts": baseline.counts,
            "mean": baseline.mean,
            "lower_bound": baseline.lower_bound,
            "period_end": instant(baseline.end_ms),
            "promoted_by": "configuration",
            "reason": "first scores of the series",
            "created_at": instant(now_ms),
            "batch_id": batch_id,
        }
        for baseline in pinned
    ]
    return pa.Table.from_pylist(rows, schema=BASELINES)


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
