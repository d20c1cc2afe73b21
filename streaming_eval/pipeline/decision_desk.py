"""Where people's decisions are written down, for the monitor to take once each."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from streaming_eval.adapters.schemas import DECISIONS
from streaming_eval.adapters.tables import Tables
from streaming_eval.alerting import Baseline, fits
from streaming_eval.errors import DecisionError
from streaming_eval.pipeline.monitor_rows import series_columns
from streaming_eval.pipeline.plan import MonitorPlan
from streaming_eval.pipeline.score_rows import instant
from streaming_eval.records import SeriesKey


@dataclass(frozen=True, slots=True)
class Signature:
    """Who decides, why, and when (wall clock)."""

    by: str
    reason: str
    now_ms: int


def promote(
    tables: Tables, plan: MonitorPlan, baseline_id: str, signature: Signature
) -> Mapping[str, Any]:
    """Decides that a stored baseline shall be in force; returns its row.

    Raises:
        DecisionError: there is none of that id, or its series is not compared that way any more.
    """
    rows = tables.read("baselines", filters=[("baseline_id", "=", baseline_id)]).to_pylist()
    if not rows:
        raise DecisionError(f"there is no baseline {baseline_id}; `baseline list` shows them")
    row: Mapping[str, Any] = rows[0]
    key = SeriesKey.parse(row["series_key"])
    if not plan.watches(key):
        raise DecisionError(
            f"baseline {baseline_id} is of {key}, which is not part of this configuration: scorer, "
            "rubric or judge were changed, or the comparison was removed"
        )
    if not fits(Baseline(tuple(row["counts"])), plan.series(key)):
        raise DecisionError(
            f"baseline {baseline_id} does not fit its series any more: its scores are counted "
            "otherwise now, or monitor.pane no longer divides an hour; create it anew"
        )
    _write(tables, key, "promote", signature, _columns_of(row))
    return row


def acknowledge(tables: Tables, alert_id: str, signature: Signature) -> Mapping[str, Any]:
    """Decides that an open alert has been seen to; returns the row of its opening.

    Raises:
        DecisionError: there is no such alert, or it is not open.
    """
    rows = tables.read("alerts", filters=[("alert_id", "=", alert_id)]).to_pylist()
    if not rows:
        raise DecisionError(f"there is no alert {alert_id}; `alerts list` shows them")
    if any(row["status"] == "resolved" for row in rows):
        raise DecisionError(f"alert {alert_id} is not open any more")
    row: Mapping[str, Any] = rows[0]
    columns = {"alert_id": alert_id, "opened_pane": row["opened_pane"]}
    _write(tables, SeriesKey.parse(row["series_key"]), "acknowledge", signature, columns)
    return row


def _columns_of(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: row[name] for name in ("baseline_id", "counts", "period_start", "period_end")}


def _write(
    tables: Tables,
    key: SeriesKey,
    kind: str,
    signature: Signature,
    columns: Mapping[str, Any],
) -> None:
    about = f"{key}|{kind}|{signature.now_ms}|{columns}"
    now, newest = instant(signature.now_ms), tables.largest("scores", "event_time")
    row = {
        "decision_id": hashlib.sha256(about.encode()).hexdigest()[:16],
        "kind": kind,
        **series_columns(key),
        "known_until": instant(0) if newest is None else min(newest, now),
        "decided_by": signature.by,
        "reason": signature.reason,
        "decided_at": now,
        **columns,
    }
    tables.append_untracked("decisions", pa.Table.from_pylist([row], schema=DECISIONS))
