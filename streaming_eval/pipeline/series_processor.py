"""The stateful step: loads a series' state, folds counts in, stores it, reports. No arithmetic."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pyspark.sql import Row
from pyspark.sql.streaming.stateful_processor import (
    ExpiredTimerInfo,
    StatefulProcessor,
    StatefulProcessorHandle,
    TimerValues,
    ValueState,
)
from pyspark.sql.types import StringType, StructField, StructType

from streaming_eval.alerting import Decision, Pane, SeriesState, expire, fits, observe, wake_at
from streaming_eval.alerting.plan import SeriesPlan
from streaming_eval.pipeline.arrivals import ARRIVALS, Arrival
from streaming_eval.pipeline.codec import Codec
from streaming_eval.pipeline.plan import MonitorPlan
from streaming_eval.pipeline.preaggregate import MISSING
from streaming_eval.pipeline.series_bucket import BUCKETS, StoredSeries, bucket_text, read_bucket
from streaming_eval.pipeline.series_report import Advance, SeriesReport, report
from streaming_eval.pipeline.worker_life import worker_life
from streaming_eval.pipeline.worker_memory import spare_the_collector
from streaming_eval.records import SeriesKey

STATE: Codec[SeriesState] = Codec(SeriesState, "state")
LAYOUT = f"{SeriesState().version} in {BUCKETS} buckets"
# The layout is in the state's name: another layout is another state, never misread.
STATE_NAME = f"series_v{SeriesState().version}_of_{BUCKETS}"
_BUCKET = StructType([StructField("series", StringType(), nullable=False)])


@dataclass(frozen=True, slots=True)
class BucketReports:
    """What is said of the series of one bucket."""

    reports: tuple[SeriesReport, ...]


REPORTS: Codec[BucketReports] = Codec(BucketReports, "reports", read_back=False)


@dataclass(slots=True)
class _Batch:
    """What one batch brings of one series."""

    plan: SeriesPlan
    panes: dict[int, Pane] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)


class SeriesProcessor(StatefulProcessor):
    """The monitors of one bucket of series.

    Args:
        plan: how every series is watched.
    """

    def __init__(self, plan: MonitorPlan) -> None:
        self._plan = plan
        self._plans: dict[str, SeriesPlan | None] = {}

    def init(self, handle: StatefulProcessorHandle) -> None:
        spare_the_collector()
        worker_life(self._plan.worker_silence_s)
        self._handle = handle
        self._state: ValueState = handle.getValueState(STATE_NAME, _BUCKET)

    # The Row API passes rows, never the data frames that the signature also allows.
    def handleInputRows(  # type: ignore[override]
        self, key: tuple[int, ...], rows: Iterator[Row], timerValues: TimerValues
    ) -> Iterator[Row]:
        by_series: dict[str, list[Arrival]] = defaultdict(list)
        for row in rows:
            for arrival in ARRIVALS.unpack((row[ARRIVALS.column],)).arrivals:
                by_series[arrival.series_key].append(arrival)
        batches = {
            key: _batch(of_series, plan)
            for key, of_series in by_series.items()
            if (plan := self._watched(key)) is not None
        }
        return self._advance(self._stored(), batches, timerValues)

    def handleExpiredTimer(
        self, key: tuple[int, ...], timerValues: TimerValues, expiredTimerInfo: ExpiredTimerInfo
    ) -> Iterator[Row]:
        stored, now_ms = self._stored(), timerValues.getCurrentWatermarkInMs()
        due = {
            key: _Batch(plan)
            for key, series in stored.items()
            if min(series.wake_ms, default=now_ms + 1) <= now_ms
            and (plan := self._watched(key)) is not None
        }
        return self._advance(stored, due, timerValues)

    def _watched(self, key: str) -> SeriesPlan | None:
        """How a series is watched; None where it no longer is."""
        if key not in self._plans:
            series = SeriesKey.parse(key)
            self._plans[key] = self._plan.series(series) if self._plan.watches(series) else None
        return self._plans[key]

    def _stored(self) -> dict[str, StoredSeries]:
        value = self._state.get()
        return {} if value is None else read_bucket(value[0])

    def _advance(
        self, stored: dict[str, StoredSeries], batches: Mapping[str, _Batch], timers: TimerValues
    ) -> Iterator[Row]:
        """Stores the bucket whose series have taken in their batches, and reports on those."""
        if not batches:
            return iter(())
        told: list[SeriesReport] = []
        wanted = _wakes(stored)
        for key, batch in batches.items():
            stored[key], said = self._taken(key, stored.get(key), batch, timers)
            told.append(said)
        self._state.update((bucket_text(stored),))
        for time_ms in sorted(_wakes(stored) - wanted):
            self._handle.registerTimer(time_ms)
        (reports,) = REPORTS.pack(BucketReports(tuple(told)))
        return iter([Row(**{REPORTS.column: reports})])

    def _taken(
        self, key: str, stored: StoredSeries | None, batch: _Batch, timers: TimerValues
    ) -> tuple[StoredSeries, SeriesReport]:
        plan = batch.plan
        before = SeriesState() if stored is None else STATE.unpack((stored.state,))
        watermark_ms = timers.getCurrentWatermarkInMs()
        fit = [decision for decision in batch.decisions if _fits(decision, plan)]
        counted = observe(before, batch.panes.values(), watermark_ms, plan, fit)
        after, closed = expire(counted, watermark_ms, plan)
        (packed,) = STATE.pack(after)
        unfit = len(batch.decisions) - len(fit)
        advance = Advance(key, before, after, closed, len(packed.encode()), unfit)
        return StoredSeries(frozenset(wake_at(after, plan)), packed), report(advance, plan)


def _wakes(stored: Mapping[str, StoredSeries]) -> set[int]:
    return {time_ms for series in stored.values() for time_ms in series.wake_ms}


def _batch(arrivals: Iterable[Arrival], plan: SeriesPlan) -> _Batch:
    batch = _Batch(plan)
    for arrival in arrivals:
        if arrival.decision is not None:
            batch.decisions.append(arrival.decision)
        else:
            start_ms = arrival.pane_ms
            old = batch.panes.get(start_ms) or Pane(start_ms, (0,) * plan.grid.cells)
            batch.panes[start_ms] = _with(old, arrival)
    batch.decisions.sort(key=lambda decision: decision.made_ms)
    return batch


def _with(pane: Pane, arrival: Arrival) -> Pane:
    held, missing = list(pane.counts), pane.missing
    for cell, n in zip(arrival.cells, arrival.counts, strict=True):
        if cell == MISSING:
            missing += n
        else:
            held[cell] += n
    return Pane(pane.start_ms, tuple(held), missing)


def _fits(decision: Decision, plan: SeriesPlan) -> bool:
    return decision.baseline is None or fits(decision.baseline, plan)
