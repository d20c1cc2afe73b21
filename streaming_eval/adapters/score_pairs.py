"""Pairs of scores: two models on the same samples, from a job's `scores` table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from streaming_eval.adapters.schemas import SCORES
from streaming_eval.errors import StorageError
from streaming_eval.stats.levels import Floats

_READ = (
    *("sample_id", "model", "scorer", "evaluation_version", "segments", "value", "cluster"),
    *("status", "scored_at"),
)
SERIES = ["scorer", "evaluation_version"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which pairs.

    Attributes:
        candidate: name of the model that is asked about.
        against: names of the other; several where it is production under more than one name.
        scorer: None for all.
        segment: name and value; None for all samples.
        since_ms: event time, epoch milliseconds; None for the beginning.
    """

    candidate: str
    against: tuple[str, ...]
    scorer: str | None = None
    segment: tuple[str, str] | None = None
    since_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Pairs:
    """One scorer's pairs in the order in which they were scored, which new ones only continue.

    Attributes:
        sample_ids: one per pair; of a cluster of samples, only the first pair is here.
        differences: candidate's minus the other's value, own scale.
        newest_ms: when the last of them was scored, epoch milliseconds.
    """

    scorer: str
    evaluation_version: str
    sample_ids: tuple[str, ...]
    differences: Floats
    newest_ms: int


def read_pairs(root: Path, wanted: Wanted) -> list[Pairs]:
    """All pairs of every scorer and evaluation version that has any, by scorer and version.

    Raises:
        StorageError: there are no scores here.
    """
    return pairs_of(wanted_rows(root, wanted), wanted)


def pairs_of(rows: pa.Table, wanted: Wanted) -> list[Pairs]:
    """The pairs among rows that `wanted_rows` has read."""
    rows = rows.filter(pc.equal(rows["status"], "ok"))
    own = _first_of_each(rows.filter(pc.equal(rows["model"], wanted.candidate)))
    others = _first_of_each(rows.filter(pc.is_in(rows["model"], pa.array(wanted.against))))
    pairs = own.join(
        others.select([*SERIES, "sample_id", "value_first"]),
        keys=[*SERIES, "sample_id"],
        join_type="inner",
        right_suffix="_other",
    )
    return sorted(_by_series(pairs), key=lambda found: (found.scorer, found.evaluation_version))


def models_with_scores(root: Path) -> list[str]:
    """Names of all models that have scores."""
    column = _table(root, "scores").to_pyarrow_table(columns=["model"])["model"]
    return sorted(pc.unique(column).to_pylist())


def definitions(root: Path) -> dict[str, str]:
    """Evaluation version to its definition, canonical JSON."""
    rows = _table(root, "evaluation_versions").to_pyarrow_table(
        columns=["evaluation_version", "definition"]
    )
    return dict(zip(*(rows[name].to_pylist() for name in rows.column_names), strict=True))


def _table(root: Path, name: str) -> DeltaTable:
    path = root / "tables" / name
    if not DeltaTable.is_deltatable(str(path)):
        raise StorageError(
            f"there are no {name.replace('_', ' ')} under {root}: {path} is no Delta table; "
            "storage.root says where it is looked for"
        )
    return DeltaTable(str(path))


def wanted_rows(root: Path, wanted: Wanted) -> pa.Table:
    """Rows of both models, whatever their status, with all that pairs are made of.

    Raises:
        StorageError: there are no scores here.
    """
    table = _table(root, "scores")
    filters: list[tuple[str, str, object]] = [("model", "in", [wanted.candidate, *wanted.against])]
    if wanted.scorer is not None:
        filters.append(("scorer", "=", wanted.scorer))
    if wanted.since_ms is not None:
        moment = datetime.fromtimestamp(wanted.since_ms / 1_000, UTC)
        filters.append(("event_time", ">=", moment))
    there = {field.name for field in table.schema().fields}
    columns = [name for name in _READ if name in there]
    rows = table.to_pyarrow_table(columns=columns, filters=filters)
    if "cluster" not in there:  # written by an earlier version
        rows = rows.append_column("cluster", pa.nulls(rows.num_rows, SCORES.field("cluster").type))
    if wanted.segment is None:
        return rows
    name, value = wanted.segment
    return rows.filter(pc.equal(pc.map_lookup(rows["segments"], pa.scalar(name), "first"), value))


def _first_of_each(rows: pa.Table) -> pa.Table:
    """A sample's first score by each scorer: it may have come again after a long time."""
    ordered = rows.sort_by([("scored_at", "ascending"), ("sample_id", "ascending")])
    firsts = [(name, "first") for name in ("value", "cluster", "scored_at")]
    return ordered.group_by([*SERIES, "sample_id"], use_threads=False).aggregate(firsts)


def _by_series(pairs: pa.Table) -> Iterator[Pairs]:
    ordered = pairs.sort_by([("scored_at_first", "ascending"), ("sample_id", "ascending")])
    series = ordered.group_by(SERIES, use_threads=False).aggregate([])
    for scorer, version in zip(*(series[name].to_pylist() for name in SERIES), strict=True):
        named = pc.and_(
            pc.equal(ordered["scorer"], scorer), pc.equal(ordered["evaluation_version"], version)
        )
        mine = ordered.filter(named)
        mine = mine.take(pa.array(one_per_cluster(mine["cluster_first"].to_pylist())))
        differences = pc.subtract(mine["value_first"], mine["value_first_other"]).to_numpy()
        yield Pairs(
            scorer,
            version,
            sample_ids=tuple(mine["sample_id"].to_pylist()),
            differences=np.asarray(differences, np.float64),
            newest_ms=round(mine["scored_at_first"][-1].as_py().timestamp() * 1_000),
        )


def one_per_cluster(clusters: Iterable[int | None]) -> list[int]:
    """Places of what counts: answers to one conversation or prompt are not independent."""
    seen: set[int] = set()
    kept = []
    for place, cluster in enumerate(clusters):
        if cluster is None or cluster not in seen:
            kept.append(place)
        if cluster is not None:
            seen.add(cluster)
    return kept
