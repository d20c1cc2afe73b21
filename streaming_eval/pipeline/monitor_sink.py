"""Commits one micro-batch of the monitor query, then shows it: tables first, exporter last."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame

from streaming_eval.adapters.checkpoint import query_id
from streaming_eval.adapters.tables import Tables
from streaming_eval.alerting import Transition
from streaming_eval.pipeline.attributions import Batch, OpenAlerts, attributed, compared
from streaming_eval.pipeline.estimate import Estimate
from streaming_eval.pipeline.estimates import IntervalPlan, estimates
from streaming_eval.pipeline.evidence import worst_samples
from streaming_eval.pipeline.gate import Gate
from streaming_eval.pipeline.monitor_rows import (
    AlertStep,
    alert_rows,
    alerts_table,
    estimates_table,
)
from streaming_eval.pipeline.plan import MonitorPlan
from streaming_eval.pipeline.score_rows import instant
from streaming_eval.pipeline.series_processor import REPORTS
from streaming_eval.pipeline.series_report import SeriesReport, one_per_series
from streaming_eval.pipeline.stored_baseline import (
    StoredBaseline,
    baselines_table,
    stored_baseline,
)
from streaming_eval.pipeline.window_rows import SINCE_BASELINE
from streaming_eval.records import SeriesKey

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MonitoredBatch:
    """What a micro-batch of the monitor came to.

    Attributes:
        now_ms: when it was committed, epoch milliseconds.
        seconds: from the start of the batch to its last commit.
        alerts: those that are open after it.
    """

    batch_id: int
    reports: Sequence[SeriesReport]
    estimates: Sequence[Estimate]
    steps: Sequence[AlertStep]
    now_ms: int
    seconds: float
    alerts: OpenAlerts = field(default_factory=OpenAlerts)


@dataclass(frozen=True, slots=True)
class MonitorOutlets:
    """Everything that a batch is written to."""

    tables: Tables
    observe: Callable[[MonitoredBatch], None]


class MonitorSink:
    """The function given to `foreachBatch`.

    Args:
        plan: how series are watched.
        intervals: how their intervals are made.
        outlets: where results go.
        checkpoint: of this query; its id is the application id of all commits.
        gate: passed by every batch.
    """

    def __init__(
        self,
        plan: MonitorPlan,
        intervals: IntervalPlan,
        outlets: MonitorOutlets,
        checkpoint: Path,
        gate: Gate,
    ) -> None:
        self._plan, self._intervals, self._outlets = plan, intervals, outlets
        self._checkpoint, self._gate = checkpoint, gate
        self._alerts: OpenAlerts | None = None

    def __call__(self, batch: DataFrame, batch_id: int) -> None:
        with self._gate.batch():
            self._commit(batch, batch_id)

    @cached_property
    def _application(self) -> str:
        return query_id(self._checkpoint)

    def _commit(self, batch: DataFrame, batch_id: int) -> None:
        began = time.monotonic()
        # All of the state must be consumed, by one action, whatever was committed before.
        told = (REPORTS.unpack(row).reports for row in batch.collect())
        reports = one_per_series(chain.from_iterable(told))
        now_ms = time.time_ns() // 1_000_000
        shown = estimates(reports, self._plan, self._intervals)
        steps = self._steps(reports, shown, now_ms)
        before = self._open_before(batch_id)
        compared = self._compared(reports, batch_id) if steps else set()
        judged = Batch(batch_id, reports, self._plan.judges, compared, instant(now_ms))
        alerts = attributed(alert_rows(steps, batch_id), before, judged)
        baselines = [self._in_force(r) for r in reports if r.baseline_is_new]
        _warn_of_unfit(reports)
        tables = self._outlets.tables
        for name, table in (
            ("baselines", baselines_table(baselines, batch_id, now_ms)),
            ("alerts", alerts_table(alerts)),
            ("estimates", estimates_table(shown, batch_id, now_ms)),
        ):
            tables.append(name, table, self._application, batch_id)
        self._alerts = before.after(alerts)
        seconds = time.monotonic() - began
        self._outlets.observe(
            MonitoredBatch(batch_id, reports, shown, steps, now_ms, seconds, self._alerts)
        )
        tables.tend(("baselines", "decisions", "alerts", "estimates"))

    def _open_before(self, batch_id: int) -> OpenAlerts:
        if self._alerts is None:
            self._alerts = OpenAlerts.of(self._earlier("alerts", batch_id))
        return self._alerts

    def _compared(self, reports: Sequence[SeriesReport], batch_id: int) -> set[tuple[str, str]]:
        judges = self._plan.judges
        baselines = self._earlier("baselines", batch_id) if judges else []
        return compared(judges, self._plan, reports, baselines)

    def _earlier(self, table: str, batch_id: int) -> list[dict[str, Any]]:
        """What batches before this one have written, also where it is repeated after a kill."""
        rows = self._outlets.tables.read(table, None, [("batch_id", "<", batch_id)])
        return list(rows.to_pylist())

    def _steps(
        self, reports: Sequence[SeriesReport], shown: Sequence[Estimate], now_ms: int
    ) -> list[AlertStep]:
        since = {str(e.key): e for e in shown if e.window == SINCE_BASELINE}
        return [
            AlertStep(
                step,
                since[r.series_key],
                now_ms,
                self._evidence(r.series_key, step),
                r.n_total,
            )
            for r in reports
            for step in r.transitions
        ]

    def _evidence(self, series_key: str, step: Transition) -> list[str]:
        key = SeriesKey.parse(series_key)
        if step.resolution is not None or not self._plan.series(key).judged:
            return []
        return self._worst(key, step.alarm.began_ms)

    def _worst(self, key: SeriesKey, began_ms: int) -> list[str]:
        name = key.segment.partition("=")[0]
        return worst_samples(
            self._outlets.tables,
            key,
            began_ms,
            higher_is_better=self._plan.scale(key).higher_is_better,
            allowed=self._plan.layout.segments.get(name, ()),
            models=self._plan.layout.models,
        )

    def _in_force(self, report: SeriesReport) -> StoredBaseline:
        key = SeriesKey.parse(report.series_key)
        return stored_baseline(self._plan, key, report.baseline, source="scores")


def _warn_of_unfit(reports: Sequence[SeriesReport]) -> None:
    for report in reports:
        if report.decisions_unfit:
            _LOG.warning(
                "a baseline that was promoted for %s does not fit it any more and is passed over",
                report.series_key,
            )
