"""Keeps the full definition behind every evaluation version that was ever used."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pyarrow as pa

from streaming_eval.adapters.schemas import EVALUATION_VERSIONS
from streaming_eval.adapters.tables import Tables
from streaming_eval.inference.anchored_judge import AnchoredJudge
from streaming_eval.inference.evaluate import BoundScorer, Judge
from streaming_eval.scoring import definition_json


def record_versions(tables: Tables, scorers: Sequence[BoundScorer | AnchoredJudge]) -> list[str]:
    """Adds the definitions that are not in `evaluation_versions` yet.

    Returns:
        The versions that were added.
    """
    known = set(
        tables.read("evaluation_versions", ["evaluation_version"])["evaluation_version"].to_pylist()
    )
    new = [scorer for scorer in scorers if scorer.evaluation_version not in known]
    now = dt.datetime.now(dt.UTC)
    rows = [
        {
            "evaluation_version": scorer.evaluation_version,
            "scorer": scorer.definition.name,
            "definition": _definition(scorer),
            "created_at": now,
        }
        for scorer in new
    ]
    tables.append_untracked(
        "evaluation_versions", pa.Table.from_pylist(rows, schema=EVALUATION_VERSIONS)
    )
    return [scorer.evaluation_version for scorer in new]


def _definition(scorer: BoundScorer | AnchoredJudge) -> str:
    if scorer.judge is None or isinstance(scorer, AnchoredJudge):
        return definition_json(scorer.definition)
    rubric = scorer.judge.rubric if isinstance(scorer.judge, Judge) else None
    return definition_json(scorer.definition, rubric, scorer.judge.call.request(()))
