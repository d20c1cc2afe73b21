"""The stateful step: loads a series' state, folds counts in, stores it, reports. No arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from pyspark.sql import Row
from pyspark.sql.streaming.stateful_processor import (
    ExpiredTimerInfo,
    StatefulProcessor,
    StatefulProcessorHandle,
    TimerValues,
    ValueState,
)

from streaming_eval.alerting import Decision, Pane, SeriesState, expire, fits, observe, wake_at
from streaming_eval.alerting.plan import SeriesPlan
from streaming_eval.pipeline.codec import Codec
from streaming_eval.pipeline.decision_stream import DECISION
from streaming_eval.pipeline.plan import MonitorPlan
from streaming_eval.pipeline.preaggregate import MISSING
from streaming_eval.pipeline.series_report import SeriesReport, report
from streaming_eval.pipeline.worker_life import worker_life
from streaming_eval.pipeline.worker_memory import spare_the_collector
from streaming_eval.records import SeriesKey

STATE: Codec[SeriesState] = Codec(SeriesState, "state")
REPORT: Codec[SeriesReport] = Codec(SeriesReport, "report")
# The layout's version is in the state's name: another layout is another state, never misread.
STATE_NAME = f"series_v{SeriesState().version}"


@dataclass(slots=True)
class _Batch:
    """What one batch brings of one series."""

    panes: dict[int, Pane] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)


class SeriesProcessor(StatefulProcessor):
    """One series key's monitor.

    Args:
        plan: how every series is watched.
    """

    def __init__(self, plan: MonitorPlan) -> None:
        self._plan = plan

    def init(self, handle: StatefulProcessorHandle) -> None:
        spare_the_collector()
        worker_life(self._plan.worker_silence_s)
        self._handle = handle
        self._state: ValueState = handle.getValueState(STATE_NAME, STATE.schema)

    # The Row API passes rows, never the data frames that the signature also allows.
    def handleInputRows(  # type: ignore[override]
        self, key: tuple[str, ...], rows: Iterator[Row], timerValues: TimerValues
    ) -> Iterator[Row]:
        series = SeriesKey.parse(key[0])
        if not self._plan.watches(series):
            return iter(())
        return self._advance(key[0], _batch(rows, self._plan.series(series)), timerValues)

    def handleExpiredTimer(
        self, key: tuple[str, ...], timerValues: TimerValues, expiredTimerInfo: ExpiredTimerInfo
    ) -> Iterator[Row]:
        if not self._plan.watches(SeriesKey.parse(key[0])):
            return iter(())
        return self._advance(key[0], _Batch(), timerValues)

    def _advance(self, key: str, batch: _Batch, timers: TimerValues) -> Iterator[Row]:
        plan = self._plan.series(SeriesKey.parse(key))
        stored = self._state.get()
        before = SeriesState() if stored is None else STATE.unpack(stored)
        watermark_ms = timers.getCurrentWatermarkInMs()
        fit = [decision for decision in batch.decisions if _fits(decision, plan)]
        counted = observe(before, batch.panes.values(), watermark_ms, plan, fit)
        after, closed = expire(counted, watermark_ms, plan)
        packed = STATE.pack(after)
        self._state.update(packed)
        for time_ms in sorted(wake_at(after, plan) - wake_at(before, plan)):
            self._handle.registerTimer(time_ms)
        said = replace(
            report(key, before, after, closed, plan),
            state_bytes=len(packed[0].encode()),
            decisions_unfit=len(batch.decisions) - len(fit),
        )
        (text,) = REPORT.pack(said)
        yield Row(**{REPORT.column: text})


def _batch(rows: Iterable[Row], plan: SeriesPlan) -> _Batch:
    batch = _Batch()
    for row in rows:
        if row.decision is not None:
            batch.decisions.append(DECISION.unpack((row.decision,)))
        else:
            old = batch.panes.get(row.pane_ms, Pane(row.pane_ms, (0,) * plan.grid.cells))
            batch.panes[row.pane_ms] = _with(old, row.levels, row.counts)
    batch.decisions.sort(key=lambda decision: decision.made_ms)
    return batch


def _with(pane: Pane, cells: Sequence[int], counts: Sequence[int]) -> Pane:
    held, missing = list(pane.counts), pane.missing
    for cell, n in zip(cells, counts, strict=True):
        if cell == MISSING:
            missing += n
        else:
            held[cell] += n
    return Pane(pane.start_ms, tuple(held), missing)


def _fits(decision: Decision, plan: SeriesPlan) -> bool:
    return decision.baseline is None or fits(decision.baseline, plan)
