"""A judge with anchors under watch, pane by pane, without Spark: states, reports, the real sink."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from pyspark.sql import DataFrame

from streaming_eval.adapters.tables import Tables
from streaming_eval.alerting import Decision, Pane, SeriesState, expire, observe
from streaming_eval.pipeline.estimates import IntervalPlan
from streaming_eval.pipeline.gate import Gate
from streaming_eval.pipeline.monitor_sink import MonitoredBatch, MonitorOutlets, MonitorSink
from streaming_eval.pipeline.plan import monitor_plan
from streaming_eval.pipeline.series_processor import REPORTS, BucketReports
from streaming_eval.pipeline.series_report import Advance, SeriesReport, report
from streaming_eval.records import ALL_SEGMENTS, SeriesKey
from streaming_eval.settings import Settings
from tests.pipeline.fleet import PANE_MS

TRAFFIC, ANCHORS = 300, 150  # scores in a pane
GOOD, POOR = (0.1, 0.2, 0.7), (0.25, 0.3, 0.45)  # shares of the grades 1 to 3
AGREES, DIFFERS = (0.1, 0.9), (0.4, 0.6)  # shares of 0 and 1


class Judging:
    """Feeds both series of one judge to a monitor that may be started anew at any time.

    Args:
        root: of the tables and the checkpoint.
        fleet: with one judge, `helpful`, that has anchors.
        seed: of the scores.
    """

    def __init__(self, root: Path, fleet: Settings, seed: int = 1) -> None:
        self.plan = monitor_plan(fleet)
        ((judge, held),) = self.plan.judges.items()
        self.scores = SeriesKey("assistant", ALL_SEGMENTS, *judge)
        self.agreement = held.agreement
        self.tables = Tables(root / "root")
        self.shown: list[MonitoredBatch] = []
        self._states: dict[str, SeriesState] = {}
        self._rng = np.random.default_rng(seed)
        self._checkpoint = root / "checkpoint"
        self._checkpoint.mkdir(parents=True)
        (self._checkpoint / "metadata").write_text(json.dumps({"id": "monitor"}))
        self._panes = 0
        self.start()

    def start(self) -> None:
        """A new process, which knows nothing but the tables."""
        intervals = IntervalPlan(0.05, 1_000, "5m")
        outlets = MonitorOutlets(self.tables, self.shown.append)
        self._sink = MonitorSink(self.plan, intervals, outlets, self._checkpoint, Gate())

    def pane(
        self,
        grades: Sequence[float] = GOOD,
        agreement: Sequence[float] = AGREES,
        decisions: Mapping[SeriesKey, Decision] | None = None,
        *,
        killed: bool = False,
    ) -> None:
        """One pane, one batch; one that is killed is written, forgotten, and done again."""
        given = {self.scores: (grades, TRAFFIC), self.agreement: (agreement, ANCHORS)}
        counts = {
            key: self._rng.multinomial(n, shares).tolist() for key, (shares, n) in given.items()
        }
        reports = [
            self._advance(key, row, (decisions or {}).get(key)) for key, row in counts.items()
        ]
        self._commit(reports)
        if killed:
            self.start()
            self._commit(reports)
        self._panes += 1

    def panes(
        self,
        n: int,
        grades: Sequence[float] = GOOD,
        agreement: Sequence[float] = AGREES,
        *,
        killed: bool = False,
    ) -> None:
        for _ in range(n):
            self.pane(grades, agreement, killed=killed)

    def alerts(self, key: SeriesKey) -> list[dict[str, Any]]:
        """The rows on alerts of a series, in the order in which they were written."""
        rows = self.tables.read("alerts", None, [("series_key", "=", str(key))]).to_pylist()
        return sorted(rows, key=lambda row: (row["batch_id"], row["revision"]))

    def _advance(
        self, key: SeriesKey, counts: Sequence[int], decision: Decision | None
    ) -> SeriesReport:
        text, plan = str(key), self.plan.series(key)
        before = self._states.get(text, SeriesState())
        start_ms = self._panes * PANE_MS
        decisions = [] if decision is None else [decision]
        pane = Pane(start_ms, tuple(counts))
        counted = observe(before, [pane], start_ms - PANE_MS, plan, decisions)
        after, closed = expire(counted, start_ms - PANE_MS, plan)
        self._states[text] = after
        return report(Advance(text, before, after, closed), plan)

    def _commit(self, reports: Sequence[SeriesReport]) -> None:
        batch = SimpleNamespace(collect=lambda: [REPORTS.pack(BucketReports(tuple(reports)))])
        self._sink(cast(DataFrame, batch), self._panes)
