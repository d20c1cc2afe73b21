"""A storage root with scores, baselines and alerts, as a job would have left it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from streaming_eval.adapters.tables import Tables
from streaming_eval.alerting import Alarm, Resolution, Transition
from streaming_eval.pipeline.monitor_rows import AlertStep, alerts_table
from streaming_eval.records import SeriesKey
from tests.pipeline.estimated import estimate
from tests.pipeline.fleet import PANE_MS, VERSIONS
from tests.pipeline.scored import score_row, score_table


class Root:
    """Tables under a directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tables = Tables(path)
        self._n = 0

    def scored(self, pane: int, values: Iterable[float | None], **columns: object) -> None:
        """Scores of `contains` in one pane, one commit."""
        rows = []
        for value in values:
            self._n += 1
            at_ms = pane * PANE_MS + self._n % PANE_MS
            given = {"evaluation_version": VERSIONS["contains"], "at_ms": at_ms, **columns}
            rows.append(score_row(f"s{self._n}", value, **given))
        self.tables.append_untracked("scores", score_table(rows))

    def opened(self, key: SeriesKey, pane: int) -> str:
        """An alert of this series; returns its id."""
        return self._step(key, Transition(Alarm(pane * PANE_MS, 0, 13.5, 77)))

    def resolved(self, key: SeriesKey, pane: int, resolution: Resolution) -> None:
        self._step(key, Transition(Alarm(pane * PANE_MS, 0, 13.5, 77), resolution))

    def _step(self, key: SeriesKey, transition: Transition) -> str:
        step = AlertStep(transition, estimate(key, window="baseline"), 10**12)
        self.tables.append_untracked("alerts", alerts_table([step], 0))
        return step.alert_id
