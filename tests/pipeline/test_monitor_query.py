"""The whole path in Spark, through kills and restarts, says what the pure functions say."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from streaming_eval.alerting import (
    Decision,
    Pane,
    SeriesState,
    Transition,
    Why,
    drift_reading,
    evidence,
    expire,
    observe,
    since_baseline,
    wake_at,
)
from streaming_eval.pipeline import monitor_query
from streaming_eval.pipeline.decision_desk import Signature, acknowledge, promote
from streaming_eval.pipeline.decision_stream import decision
from streaming_eval.pipeline.estimates import IntervalPlan
from streaming_eval.pipeline.frozen_baselines import Chosen, Period, frozen_baselines, scores_of
from streaming_eval.pipeline.gate import Gate
from streaming_eval.pipeline.ledger_views import alerts
from streaming_eval.pipeline.monitor_sink import MonitorOutlets, MonitorSink
from streaming_eval.pipeline.preaggregate import MISSING, pane_counts
from streaming_eval.pipeline.session import spark_session
from streaming_eval.pipeline.stored_baseline import baselines_table
from streaming_eval.pipeline.window_rows import SINCE_BASELINE
from streaming_eval.records import SeriesKey
from streaming_eval.settings import SparkSettings
from tests.pipeline.deciding import Root
from tests.pipeline.fleet import PANE_MS, VERSIONS, plan
from tests.pipeline.scored import score_row, score_table

PLAN = plan(
    scorers=[{"kind": "contains"}],
    comparisons=[{"candidate": "small", "against": "large", "baseline": {"kind": "champion"}}],
    monitor={
        "pane": "1m",
        "window": "5m",
        "allowed_lateness": "1m",
        "sliding_windows": ["10m"],
        "baseline": {"kind": "pinned", "samples": 200},
    },
)
INTERVALS = IntervalPlan(0.05, 1_000, "5m")
GOOD, BAD = 0.9, 0.5
pytestmark = pytest.mark.spark


class Interrupted(Exception):  # noqa: N818 - not an error: the end of a process
    """Stands for a kill in the middle of a batch."""


@dataclass
class Monitor:
    """The monitor query on one checkpoint, started and stopped at will."""

    spark: SparkSession
    root: Root
    kill_next: bool = False
    query: StreamingQuery | None = None

    def start(self) -> None:
        checkpoint = self.root.path / "checkpoint"
        rows = monitor_query.rows_of(self.spark, self.root.tables, PLAN, 2)
        outlets = MonitorOutlets(self.root.tables, lambda _: None)
        sink = MonitorSink(PLAN, INTERVALS, outlets, checkpoint, Gate())
        stream = monitor_query.reports(rows, PLAN)
        self.query = monitor_query.start(stream, self._killed(sink), checkpoint, 50)

    def settle(self) -> None:
        """Waits until all that has been appended is taken."""
        assert self.query is not None
        self.query.processAllAvailable()

    def stop(self) -> None:
        assert self.query is not None
        self.query.stop()

    def killed_in(self, change: Callable[[], object]) -> None:
        """The batch that takes a change computes its states, then all ends and starts again."""
        self.kill_next = True
        change()
        assert self.query is not None
        with pytest.raises(StreamingQueryException, match="Interrupted"):
            self.query.processAllAvailable()
        self.start()
        self.settle()

    def _killed(self, sink: Callable[[DataFrame, int], None]) -> Callable[[DataFrame, int], None]:
        def call(batch: DataFrame, batch_id: int) -> None:
            if self.kill_next:
                self.kill_next = False
                batch.collect()
                raise Interrupted
            sink(batch, batch_id)

        return call


@dataclass
class Pure:
    """The same rows through the pure functions: a dictionary of states and a watermark."""

    states: dict[str, SeriesState] = field(default_factory=dict)
    transitions: list[tuple[str, Transition]] = field(default_factory=list)
    watermark_ms: int = 0

    def take(self, scores: pa.Table) -> None:
        """One commit of scores, and what follows from the watermark that it brings."""
        counted = [
            row
            for batch in pane_counts(scores.to_batches(), PLAN.layout)
            for row in batch.to_pylist()
        ]
        panes: dict[str, list[Pane]] = {}
        for row in counted:
            panes.setdefault(row["series_key"], []).append(_pane(row))
        for key, new in panes.items():
            self.advance(key, new)
        newest_ms = int(counted[0]["newest"].timestamp() * 1_000)
        self.watermark_ms = max(self.watermark_ms, newest_ms - PLAN.allowed_lateness_ms)
        for key, state in list(self.states.items()):
            due_ms = wake_at(state, PLAN.series(SeriesKey.parse(key)))
            if any(time_ms <= self.watermark_ms for time_ms in due_ms):
                self.advance(key)

    def advance(self, key: str, new: Sequence[Pane] = (), decided: Sequence[Decision] = ()) -> None:
        """What the stateful step does with one series."""
        series = PLAN.series(SeriesKey.parse(key))
        before = self.states.get(key, SeriesState())
        after = observe(before, new, self.watermark_ms, series, decided)
        self.transitions += [(key, step) for step in after.transitions]
        self.states[key], _ = expire(after, self.watermark_ms, series)


def _pane(row: Mapping[str, Any]) -> Pane:
    by_cell = dict(zip(row["levels"], row["counts"], strict=True))
    cells = range(PLAN.series(SeriesKey.parse(row["series_key"])).grid.cells)
    counts = tuple(by_cell.get(cell, 0) for cell in cells)
    return Pane(row["pane_ms"], counts, by_cell.get(MISSING, 0))


@pytest.fixture(scope="module")
def spark() -> Iterator[SparkSession]:
    settings = SparkSettings.model_validate({"master": "local[2,4]", "partitions": 2})
    session = spark_session(settings, "monitor-test")
    yield session
    session.stop()


@pytest.fixture
def monitor(spark: SparkSession, tmp_path: Path) -> Iterator[Monitor]:
    monitor = Monitor(spark, Root(tmp_path))
    yield monitor
    monitor.stop()


class Told:
    """Tells both the same story, commit by commit."""

    def __init__(self, monitor: Monitor) -> None:
        self.monitor, self.pure = monitor, Pure()
        self._random = random.Random(3)
        self._commits = self._decisions = 0

    def scores(self, panes: Sequence[int], rate: float) -> None:
        """One commit with scores in these panes, taken before anything else comes."""
        self.commit(panes, rate)
        self.monitor.settle()

    def commit(self, panes: Sequence[int], rate: float, n: int = 60) -> None:
        """Production, and a candidate beside another; some scores are missing.

        The append is tried twice, as after a kill of the score query: the second brings nothing.
        """
        rows = []
        for pane, number in product(panes, range(n)):
            columns = {
                "evaluation_version": VERSIONS["contains"],
                "at_ms": pane * PANE_MS + number,
                "segments": [("tier", ("pro", "free")[number % 2])],
            }
            passed, other = (float(self._random.random() < rate) for _ in range(2))
            name = f"{self._commits}-{pane}-{number}"
            rows.append(score_row(name, None if number % 20 == 7 else passed, **columns))
            paired = [("large", other)]
            rows.append(score_row(name, passed, model="small", paired_values=paired, **columns))
        table = score_table(rows)
        for _ in range(2):
            self.monitor.root.tables.append("scores", table, "score-query", self._commits)
        self._commits += 1
        self.pure.take(table)

    def decided(self) -> None:
        """The decisions that have been written since, as they stand in their table."""
        rows = self.monitor.root.tables.read("decisions").sort_by("decided_at").to_pylist()
        for row in rows[self._decisions :]:
            self.pure.advance(row["series_key"], decided=[decision(row)])
        self._decisions = len(rows)


def newest(root: Root) -> dict[str, dict[str, Any]]:
    """The last estimate since the baseline of each series."""
    rows = root.tables.read("estimates", filters=[("window", "=", SINCE_BASELINE)])
    return {row["series_key"]: row for row in rows.sort_by("batch_id").to_pylist()}


def check(told: Told) -> None:
    """Counts to the bit, evidence to 1e-9, and the same lives of the same alerts."""
    found = newest(told.monitor.root)
    assert found.keys() == told.pure.states.keys()
    for key, state in told.pure.states.items():
        series, row = PLAN.series(SeriesKey.parse(key)), found[key]
        assert tuple(row["counts"]) == since_baseline(state, series).counts, key
        assert row["log_evidence"] == pytest.approx(evidence(state, series), abs=1e-9), key
        if state.drift.version:
            drift, _ = drift_reading(state, series)
            assert row["drift_log_evidence"] == pytest.approx(drift, abs=1e-9), key
        assert (row["late"], row["baseline_version"]) == (state.n_late, state.baseline.version)
        assert (row["state"] == "regressed") is (state.alarm is not None)
    lived = [
        (row["series_key"], row["opened_pane"].timestamp() * 1_000, row["why"])
        for row in told.monitor.root.tables.read("alerts").to_pylist()
    ]
    steps = [
        (key, step.alarm.opened_ms, step.resolution and step.resolution.why.value)
        for key, step in told.pure.transitions
    ]
    assert sorted(lived, key=str) == sorted(steps, key=str)


def test_restarts_late_rows_and_decisions_leave_what_the_pure_functions_say(
    monitor: Monitor,
) -> None:
    told, root = Told(monitor), monitor.root
    told.commit(range(1, 6), GOOD)
    monitor.start()  # with scores in the very first batch
    monitor.settle()
    told.scores(range(6, 11), GOOD)
    told.scores([3, 4], BAD)  # late: counted as such, nowhere else
    check(told)
    monitor.stop()
    told.commit([11], GOOD)
    monitor.start()
    monitor.settle()
    told.scores(range(12, 17), BAD)
    check(told)
    first, *others = alerts(root.tables, Chosen(), only_open=True)
    # A series may have two alerts, of its mean and of its distribution: a promotion ends both.
    series = first.opened["series_key"]
    second = next(other for other in others if other.opened["series_key"] != series)

    monitor.stop()
    _promote_the_new_level(root, SeriesKey.parse(series))
    told.decided()
    monitor.start()
    monitor.settle()
    check(told)
    told.scores(range(17, 20), BAD)
    check(told)

    seen = partial(acknowledge, root.tables, second.opened["alert_id"], Signature("b", "seen", 2))
    monitor.killed_in(seen)
    told.decided()
    check(told)
    told.scores(range(20, 30), GOOD)
    told.scores(range(30, 40), GOOD)
    check(told)
    why = {step.resolution.why for _, step in told.pure.transitions if step.resolution}
    assert why == {Why.PROMOTED, Why.ACKNOWLEDGED, Why.RECOVERED}
    in_force = root.tables.read("baselines", filters=[("status", "=", "in_force")]).to_pylist()
    assert len({(r["series_key"], r["version"]) for r in in_force}) == len(in_force)
    assert {r["version"] for r in in_force} == {1, 2}


def _promote_the_new_level(root: Root, key: SeriesKey) -> None:
    period = Period(12 * PANE_MS, 17 * PANE_MS)
    made = frozen_baselines(
        scores_of(root.tables, period),
        PLAN,
        Chosen(key.model, key.segment, key.scorer, key.against),
        period,
        seasonal=None,
        source="scores",
    )
    root.tables.append_untracked("baselines", baselines_table(made, None, 0))
    promote(root.tables, PLAN, made[0].baseline_id, Signature("mira", "accepted", 1))
