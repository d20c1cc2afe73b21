"""The stateful step: loads a series' state, folds counts in, stores it, reports. No arithmetic."""

from __future__ import annotations

from collections.abc import Iterator

from pyspark.sql import Row
from pyspark.sql.streaming.stateful_processor import (
    ExpiredTimerInfo,
    StatefulProcessor,
    StatefulProcessorHandle,
    TimerValues,
    ValueState,
)

from streaming_eval.alerting import Pane, SeriesState, expire, observe
from streaming_eval.pipeline.codec import Codec
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
        plan = self._plan.series(SeriesKey.parse(key[0]))
        panes: dict[int, list[int]] = {}
        missing = 0
        for row in rows:
            counts = panes.setdefault(row.pane_ms, [0] * plan.levels)
            for level, n in zip(row.levels, row.counts, strict=True):
                if level == MISSING:
                    missing += n
                else:
                    counts[level] += n
        counted = {start_ms: counts for start_ms, counts in panes.items() if any(counts)}
        return self._advance(key[0], counted, missing, timerValues)

    def handleExpiredTimer(
        self, key: tuple[str, ...], timerValues: TimerValues, expiredTimerInfo: ExpiredTimerInfo
    ) -> Iterator[Row]:
        return self._advance(key[0], {}, 0, timerValues)

    def _advance(
        self, key: str, panes: dict[int, list[int]], missing: int, timers: TimerValues
    ) -> Iterator[Row]:
        series = SeriesKey.parse(key)
        if not self._plan.watches(series):
            return
        plan = self._plan.series(series)
        stored = self._state.get()
        before = SeriesState() if stored is None else STATE.unpack(stored)
        watermark_ms = timers.getCurrentWatermarkInMs()
        counted = observe(before, panes, missing, watermark_ms, plan)
        after, closed = expire(counted, watermark_ms, plan)
        self._state.update(STATE.pack(after))
        self._wake_when_windows_close(before.windows, after.windows, plan.window_ms)
        (text,) = REPORT.pack(report(key, before, after, closed, plan))
        yield Row(**{REPORT.column: text})

    def _wake_when_windows_close(
        self, before: tuple[Pane, ...], after: tuple[Pane, ...], window_ms: int
    ) -> None:
        known = {window.start_ms for window in before}
        for window in after:
            if window.start_ms not in known:
                self._handle.registerTimer(window.start_ms + window_ms)
