"""Samples of which one model has a score and the other one failed: what a comparison leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import exp

import pyarrow as pa
import pyarrow.compute as pc

from streaming_eval.adapters.score_pairs import SERIES, Wanted, one_per_cluster
from streaming_eval.stats.multinomial import mix_evidence

_EVEN = (0.5, 0.5)


@dataclass(frozen=True, slots=True)
class Lone:
    """How many samples only one of two models has a score of, though both were to be scored.

    Attributes:
        candidate: only the candidate has one.
        other: only the other model has one: the candidate's failed or was unparsable.
    """

    candidate: int
    other: int

    @property
    def log_evidence(self) -> float:
        """Log evidence, at any time, against "either is as likely to be the one that is missing".

        Where that is false, the pairs are no fair sample: hard samples may be missing for one only.

        >>> Lone(0, 0).log_evidence, round(Lone(2, 20).log_evidence, 2)
        (0.0, 6.67)
        """
        return float(mix_evidence([self.candidate, self.other], _EVEN))

    @property
    def p(self) -> float:
        """Always-valid p-value of that."""
        return exp(-max(self.log_evidence, 0.0))


def lone_scores(rows: pa.Table, wanted: Wanted) -> dict[tuple[str, str], Lone]:
    """By scorer and evaluation version; of a cluster of samples only the first counts.

    Args:
        rows: as `wanted_rows` reads them.
        wanted: what they were read for.
    """
    own = _scored(rows.filter(pc.equal(rows["model"], wanted.candidate)))
    others = _scored(rows.filter(pc.is_in(rows["model"], pa.array(wanted.against))))
    both = own.join(others, keys=[*SERIES, "sample_id"], join_type="inner", right_suffix="_other")
    lone = both.filter(pc.not_equal(both["ok_max"], both["ok_max_other"]))
    return dict(
        _counted(lone.sort_by([("scored_at_min", "ascending"), ("sample_id", "ascending")]))
    )


def _scored(rows: pa.Table) -> pa.Table:
    """Of each sample whether the model ever had a score, and when it was first seen."""
    told = rows.append_column("ok", pc.equal(rows["status"], "ok").cast(pa.int8()))
    firsts = [("ok", "max"), ("cluster", "min"), ("scored_at", "min")]
    return told.group_by([*SERIES, "sample_id"], use_threads=False).aggregate(firsts)


def _counted(lone: pa.Table) -> Iterator[tuple[tuple[str, str], Lone]]:
    series = lone.group_by(SERIES, use_threads=False).aggregate([])
    for scorer, version in zip(*(series[name].to_pylist() for name in SERIES), strict=True):
        named = pc.and_(
            pc.equal(lone["scorer"], scorer), pc.equal(lone["evaluation_version"], version)
        )
        mine = lone.filter(named)
        mine = mine.take(pa.array(one_per_cluster(mine["cluster_min"].to_pylist())))
        candidate = int(pc.sum(mine["ok_max"]).as_py())
        yield (scorer, version), Lone(candidate, mine.num_rows - candidate)
