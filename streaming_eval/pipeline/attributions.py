"""Alarms on judged scores are put down to the system or the judge.

Works on rows of `alerts` alone, those of a batch and those of all batches before it, so a run that
is killed goes on where it was, and a batch that is repeated decides the same again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from streaming_eval.pipeline.anchors import Watched
from streaming_eval.pipeline.plan import MonitorPlan
from streaming_eval.pipeline.series_report import SeriesReport
from streaming_eval.records import SeriesKey
from streaming_eval.snapshot import CulpritView
from streaming_eval.stats.attribution import Attribution, Culprit
from streaming_eval.stats.baseline import missing

Row = Mapping[str, Any]
Judges = Mapping[tuple[str, str], Watched]


@dataclass(frozen=True, slots=True)
class OpenAlerts:
    """The alerts that are open, each by its newest row, by id."""

    rows: Mapping[str, Row] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[Row]) -> OpenAlerts:
        """The alerts that are open after all these rows, given in any order."""
        return cls().after(sorted(rows, key=lambda row: int(row["revision"])))

    def after(self, rows: Iterable[Row]) -> OpenAlerts:
        """The alerts that are open after a batch's rows, given in order."""
        held = dict(self.rows)
        for row in rows:
            if row["status"] == "resolved":
                held.pop(row["alert_id"], None)
            else:
                held[row["alert_id"]] = row
        return OpenAlerts(held)

    def any_on(self, key: SeriesKey) -> bool:
        """Whether an alert on the series is open."""
        return any(row["series_key"] == str(key) for row in self.rows.values())

    def culprits(self) -> list[CulpritView]:
        """What they are put down to, of those that a judge with anchors has part in."""
        return [
            CulpritView(SeriesKey.parse(row["series_key"]), row["kind"], row["culprit"])
            for row in self.rows.values()
            if row["culprit"] is not None
        ]


def compared(
    judges: Judges, plan: MonitorPlan, reports: Iterable[SeriesReport], baselines: Iterable[Row]
) -> set[tuple[str, str]]:
    """The judges whose agreement with people has a baseline that is large enough.

    Args:
        judges: to choose from.
        plan: how series are watched.
        reports: of this batch; what they say counts.
        baselines: rows of `baselines` of earlier batches.
    """
    known: dict[str, bool] = {}
    for row in sorted(baselines, key=lambda row: int(row["version"] or 0)):
        key = SeriesKey.parse(row["series_key"])
        if plan.watches(key):
            lacking = missing(row["counts"], plan.series(key).baseline_samples or 0)
            known[row["series_key"]] = row["status"] == "in_force" and not lacking
    known |= {r.series_key: r.pinned and not r.baseline_missing for r in reports}
    return {judge for judge, held in judges.items() if known.get(str(held.agreement))}


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch brings that verdicts depend on.

    Attributes:
        reports: of the batch.
        judges: (scorer label, evaluation version) to how its judge is watched.
        compared: the judges among them whose agreement with people has a baseline to fall below.
        at: when it is committed, as the tables have instants.
    """

    batch_id: int
    reports: Sequence[SeriesReport]
    judges: Judges
    compared: Collection[tuple[str, str]]
    at: dt.datetime


def attributed(rows: Iterable[Row], before: OpenAlerts, batch: Batch) -> list[Row]:
    """A batch's rows of `alerts` with what they are put down to, then a row for each new verdict.

    Args:
        rows: of the steps that alerts took in this batch, in order.
        before: the alerts that were open before.
        batch: which batch it is.
    """
    begun = _begun(rows, before, batch.compared)
    after = before.after(begun)
    n_scored = {report.series_key: report.n_total for report in batch.reports}
    said = {
        alert_id: verdict
        for alert_id, row in after.rows.items()
        if (verdict := _verdict(row, after, n_scored, batch.judges)) is not Culprit.UNDECIDED
    }
    new = {row["alert_id"] for row in begun if row["status"] == "opened"}
    now = [
        _with_verdict(row, said[row["alert_id"]], batch)
        if row["alert_id"] in said and row["status"] == "opened"
        else row
        for row in begun
    ]
    late = [_revision(after.rows[i], said[i], batch) for i in said if i not in new]
    return [*now, *late]


def _begun(
    rows: Iterable[Row], before: OpenAlerts, compared: Collection[tuple[str, str]]
) -> list[Row]:
    """The rows, each opening undecided where anchors can tell, each end as it was decided.

    An alert stays without a verdict where the judge's agreement had no baseline when it opened: one
    that is collected later may be that of a judge that had changed before.
    """
    known, begun = dict(before.rows), list[Row]()
    for row in rows:
        if row["status"] == "opened":
            judged = (row["scorer"], row["evaluation_version"]) in compared
            row = {**row, "culprit": Culprit.UNDECIDED.value if judged else None}
            known[row["alert_id"]] = row
        elif (opened := known.get(row["alert_id"])) is not None:
            kept = {name: opened[name] for name in ("culprit", "attributed_at", "n_scored")}
            row = {**row, **kept, "revision": opened["revision"] + 1}
        begun.append(row)
    return begun


def _verdict(row: Row, now: OpenAlerts, n_scored: Mapping[str, int], judges: Judges) -> Culprit:
    """What is newly known of an open alert; undecided where nothing is."""
    watched = judges.get((row["scorer"], row["evaluation_version"]))
    if watched is None or row["culprit"] != Culprit.UNDECIDED:
        return Culprit.UNDECIDED
    since = n_scored.get(row["series_key"], row["n_scored"]) - row["n_scored"]
    anchors_alarmed = now.any_on(watched.agreement)
    return Attribution(watched.guard).observe(since, anchors_alarmed=anchors_alarmed).culprit


def _with_verdict(row: Row, verdict: Culprit, batch: Batch) -> Row:
    return {**row, "culprit": verdict.value, "attributed_at": batch.at}


def _revision(row: Row, verdict: Culprit, batch: Batch) -> Row:
    changed = {"revision": row["revision"] + 1, "status": "attributed", "sample_ids": []}
    return {**_with_verdict(row, verdict, batch), **changed, "batch_id": batch.batch_id}
