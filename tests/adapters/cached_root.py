"""A job's storage root with answers, and with scores that came from them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from streaming_eval.adapters.answer_index import AnswerIndex
from streaming_eval.adapters.cache_places import CachePlaces
from streaming_eval.adapters.schemas import RESPONSES
from streaming_eval.adapters.tables import Tables
from tests.adapters.responses_data import key, row
from tests.pipeline.scored import score_row, score_table


class CachedRoot:
    """A root as a job leaves it behind.

    Attributes:
        version: of `responses`, the newest that was written here.
    """

    def __init__(self, root: Path) -> None:
        self.places = CachePlaces(root)
        self.tables = Tables(root)
        self.version = 0

    def answered(self, *rows: dict[str, object]) -> None:
        """One commit of answers."""
        table = pa.Table.from_pylist(list(rows), RESPONSES)
        self.tables.append_untracked("responses", table)
        self.version = self.tables.version("responses")

    def scored(self, *rows: dict[str, object]) -> None:
        """One commit of scores."""
        self.tables.append_untracked("scores", score_table(rows))

    def index(self) -> AnswerIndex:
        """This host's index, knowing everything up to `version`."""
        index = AnswerIndex(self.places.index, str(self.places.responses))
        index.refresh(self.version)
        return index

    def stored_keys(self) -> set[str]:
        """Of the answers that are there now."""
        return {row["cache_key"] for row in _rows(self.places.responses)}

    def explanations(self) -> dict[str, str | None]:
        """Sample id to the judge's words."""
        return {row["sample_id"]: row["explanation"] for row in _rows(self.places.scores)}

    def everything(self) -> str:
        """Whatever lies in any file of the root, in the end readable as text."""
        files = [path for path in sorted(self.places.root.rglob("*")) if path.is_file()]
        return "\n".join(map(_content, files))


def scored(sample: str, answer: int | None = None, judge: int | None = None) -> dict[str, object]:
    """A score from the answers to these questions; the judge's words name the sample."""
    return score_row(
        sample,
        cache_key=None if answer is None else key(answer),
        judge_cache_key=None if judge is None else key(judge),
        explanation=None if judge is None else f"words about {sample}",
    )


def answers(*numbers: int) -> list[dict[str, object]]:
    return [row(n, "secret {n}.") for n in numbers]


def keys(numbers: Iterable[int]) -> set[str]:
    return {key(n) for n in numbers}


def _rows(table: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = DeltaTable(str(table)).to_pyarrow_table().to_pylist()
    return rows


def _content(path: Path) -> str:
    if path.suffix == ".parquet":
        return str(pq.read_table(path, partitioning=None).to_pylist())
    return path.read_bytes().decode(errors="replace")
