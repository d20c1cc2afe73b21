"""Baselines that a person makes: the scores of a period, from the job's own table or another."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from streaming_eval.adapters.tables import Tables
from streaming_eval.alerting import NO_BASELINE, Baseline, SeriesPlan
from streaming_eval.alerting.baseline import HOURS
from streaming_eval.errors import StorageError
from streaming_eval.pipeline.plan import MonitorPlan
from streaming_eval.pipeline.preaggregate import MISSING, READ, pane_counts
from streaming_eval.pipeline.score_rows import instant
from streaming_eval.pipeline.stored_baseline import StoredBaseline, stored_baseline
from streaming_eval.records import SeriesKey

NEEDED = READ[: READ.index("weight")]  # what tables of earlier versions have, too


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which series: those whose parts are as given; None stands for any."""

    model: str | None = None
    segment: str | None = None
    scorer: str | None = None
    against: str | None = None

    def has(self, key: SeriesKey) -> bool:
        wanted = (self.model, self.segment, self.scorer, self.against)
        parts = (key.model, key.segment, key.scorer, key.against)
        return all(want in (None, part) for want, part in zip(wanted, parts, strict=True))


@dataclass(frozen=True, slots=True)
class Period:
    """Event times from `from_ms` on and before `to_ms`."""

    from_ms: int
    to_ms: int

    @property
    def filters(self) -> list[tuple[str, str, object]]:
        begin, end = instant(self.from_ms), instant(self.to_ms)
        return [("event_time", ">=", begin), ("event_time", "<", end)]


def scores_of(tables: Tables, period: Period) -> pa.Table:
    """The job's own scores of a period."""
    days: list[tuple[str, str, object]] = [
        ("event_date", ">=", _day(period.from_ms)),
        ("event_date", "<=", _day(period.to_ms)),
    ]
    return tables.read("scores", list(READ), [*days, *period.filters])


def scores_in(path: Path, period: Period) -> pa.Table:
    """Scores of a period from any Delta table with the columns of `scores`.

    Raises:
        StorageError: it is no such table.
    """
    try:
        table = DeltaTable(str(path))
        held = {field.name for field in table.schema().fields}
        lacking = [name for name in NEEDED if name not in held]
        if lacking:
            raise StorageError(f"{path} lacks columns of `scores`: {', '.join(lacking)}")
        columns = [name for name in READ if name in held]
        return table.to_pyarrow_table(columns=columns, filters=period.filters)
    except DeltaError as error:
        raise StorageError(f"{path} is not a readable Delta table: {error}") from error


def frozen_baselines(
    scores: pa.Table,
    plan: MonitorPlan,
    chosen: Chosen,
    period: Period,
    *,
    seasonal: bool | None,
    source: str,
) -> list[StoredBaseline]:
    """A baseline of each chosen series that has scores, in the order of their keys.

    Args:
        scores: of the period.
        plan: how series are watched: of it come scales, grids and evaluation versions.
        chosen: which series.
        period: noted down.
        seasonal: whether hours of the day are kept apart; as configured when None.
        source: noted down.
    """
    collected: dict[SeriesKey, Baseline] = defaultdict(lambda: NO_BASELINE)
    for key, start_ms, counts in _panes(scores, plan):
        if chosen.has(key) and any(counts):
            seasons = _seasons(plan.series(key), seasonal)
            collected[key] = collected[key].with_pane(start_ms, counts, seasons)
    return [
        stored_baseline(plan, key, _frozen(key, baseline, period, source), source=source)
        for key, baseline in sorted(collected.items())
    ]


def _seasons(plan: SeriesPlan, seasonal: bool | None) -> int:
    if seasonal is None:
        return plan.seasons
    return HOURS if seasonal else 1


def _panes(scores: pa.Table, plan: MonitorPlan) -> Iterator[tuple[SeriesKey, int, list[int]]]:
    for batch in pane_counts(scores.to_batches(), plan.layout):
        for row in batch.to_pylist():
            key = SeriesKey.parse(row["series_key"])
            counts = [0] * plan.series(key).grid.cells
            for cell, n in zip(row["levels"], row["counts"], strict=True):
                if cell != MISSING:
                    counts[cell] += n
            yield key, row["pane_ms"], counts


def _frozen(key: SeriesKey, baseline: Baseline, period: Period, source: str) -> Baseline:
    """The same counts with an id that follows from all that they are."""
    text = f"{key}|{source}|{period.from_ms}|{period.to_ms}|{baseline.counts}"
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Baseline(baseline.counts, period.from_ms, period.to_ms, id=name)


def _day(time_ms: int) -> dt.date:
    return instant(time_ms).date()
