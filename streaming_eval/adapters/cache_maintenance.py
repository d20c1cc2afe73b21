"""Removing answers that are not wanted any more; safe while jobs use the cache."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from streaming_eval.adapters.answer_duplicates import find_superseded, remove_duplicates
from streaming_eval.adapters.answer_index import AnswerIndex
from streaming_eval.adapters.answer_removal import Find, files_of, find_rows, remove_rows
from streaming_eval.adapters.cache_lease import alone
from streaming_eval.adapters.cache_places import CachePlaces


@dataclass(frozen=True, slots=True)
class Selection:
    """Which answers: those to which everything applies that is given; none if nothing is.

    Attributes:
        before_ms: epoch milliseconds; answers that arrived earlier.
        endpoint: base URL, as configured.
        model: as the endpoint calls it.
        revision: the operator's tag; empty for answers without one.
    """

    before_ms: int | None = None
    endpoint: str | None = None
    model: str | None = None
    revision: str | None = None

    @property
    def find(self) -> Find:
        """Finds them in the table's files."""
        return find_rows(["created_at", "endpoint", "model", "revision"], self._matches)

    def _matches(self, batch: pa.RecordBatch) -> pa.Array:
        texts = {"endpoint": self.endpoint, "model": self.model, "revision": self.revision}
        wanted = [pc.equal(batch[name], text) for name, text in texts.items() if text is not None]
        if self.before_ms is not None:
            instant = pa.scalar(self.before_ms * 1_000, pa.timestamp("us", "UTC"))
            wanted.append(pc.less(batch["created_at"], instant))
        if not wanted:
            return pa.repeat(False, batch.num_rows)
        matches = wanted[0]
        for more in wanted[1:]:
            matches = pc.and_(matches, more)
        return matches


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed, or would be.

    Attributes:
        answers: rows that were selected.
        superseded: rows that a newer answer to the same request has replaced.
        files_deleted: None where the files are left to the daily clean-up.
    """

    answers: int
    superseded: int
    files_deleted: int | None = None


def prune(places: CachePlaces, selection: Selection, *, duplicates: bool, now: bool) -> Pruned:
    """Removes answers from the table and from this host's index.

    Jobs go on meanwhile; they wait with their commits.

    Args:
        places: where the cache lies.
        selection: which answers.
        duplicates: also remove superseded answers.
        now: also delete the files that hold what was removed; no job may run then.

    Raises:
        StorageError: there is no cache, `now` while a job runs, or other programs do not let a
            commit through.
    """
    places.check()
    if now:
        with alone(places.responses):
            answers, superseded = _pruned(places, selection, duplicates)
            return Pruned(answers, superseded, delete_dead_files(places.responses))
    return Pruned(*_pruned(places, selection, duplicates))


def would_prune(places: CachePlaces, selection: Selection, *, duplicates: bool) -> Pruned:
    """What `prune` would remove; superseded answers that are also selected count twice."""
    places.check()
    files = files_of(places.responses)
    superseded = len(find_superseded(files)) if duplicates else 0
    return Pruned(len(selection.find(files)), superseded)


def delete_dead_files(table: Path) -> int:
    """Deletes every file that the table's newest version does not use; to be alone is required.

    Returns:
        How many files were deleted.
    """
    files = DeltaTable(str(table)).vacuum(
        retention_hours=0, dry_run=False, enforce_retention_duration=False, full=True
    )
    return len(files)


def forget(places: CachePlaces) -> bool:
    """Brings this host's index up to date and wipes what it no longer holds.

    Returns:
        False when a running process keeps traces of it in the index for now.
    """
    if not any(places.index.parent.glob(f"{places.index.name}.*")):
        return True
    index = AnswerIndex(places.index, str(places.responses))
    try:
        index.refresh(DeltaTable(str(places.responses)).version())
        return index.scrub()
    finally:
        index.close()


def _pruned(places: CachePlaces, selection: Selection, duplicates: bool) -> tuple[int, int]:
    answers = remove_rows(places.responses, selection.find)
    superseded = remove_duplicates(places.responses) if duplicates else 0
    forget(places)
    return answers, superseded
