"""The driver's side of the cache: what workers spooled becomes rows of `responses`."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from streaming_eval.adapters.answer_duplicates import remove_duplicates, row_count
from streaming_eval.adapters.answer_index import AnswerIndex
from streaming_eval.adapters.answer_table import answers_in, newest_rows, spooled_table
from streaming_eval.adapters.attempt_turn import close_batch, open_batch
from streaming_eval.adapters.cache_lease import CacheLease, writing
from streaming_eval.adapters.cache_members import CacheMember
from streaming_eval.adapters.spool import list_files, read_documents
from streaming_eval.adapters.tables import Tables
from streaming_eval.adapters.task_spool import LATE
from streaming_eval.errors import StorageError
from streaming_eval.inference.cache.freshness import Freshness, supersedes
from streaming_eval.records import Response

_LOG = logging.getLogger(__name__)
_COMMITS_BETWEEN_LOOKS = 1_000
_SUPERSEDED_AT_LEAST = 1_000
_SUPERSEDED_SHARE = 0.1
_KEPT_MS = 2 * 86_400_000


class AnswerStore:
    """Owns the spool of answers that are not in the `responses` table yet, and adds them to it.

    Several jobs may share one table. An answer is added only if the table has none by then that
    would have been a hit, so the answer that came first stays the one that scores are computed
    from, until it is too old. This is certain, because jobs take turns in writing.

    Args:
        tables: the Delta tables.
        spool: directory with one sub-directory per micro-batch.
        index: this host's index of `responses`.
        freshness: what the workers' look-ups go by.
        job: who pays, noted with every answer.

    Raises:
        StorageError: somebody is cleaning the table.
    """

    def __init__(
        self,
        tables: Tables,
        spool: Path,
        index: AnswerIndex,
        freshness: Freshness | None = None,
        *,
        job: str = "",
    ) -> None:
        self._tables, self._spool, self._index, self._job = tables, spool, index, job
        self._freshness = freshness or Freshness()
        self._responses = Path(tables.uri("responses"))
        self._lease = CacheLease(self._responses)
        self._written = -1  # the version that this object's last commit left behind
        self._tended = tables.version("responses")
        spool.mkdir(parents=True, exist_ok=True)
        self._member = CacheMember(self._responses, spool)

    def directory(self, batch: int | str) -> Path:
        """Where the workers of one micro-batch write their answers."""
        return self._spool / f"batch-{batch}"

    def opened(self, batch: int | str) -> Path:
        """The same, made and open for attempts at tasks until it is committed."""
        directory = self.directory(batch)
        open_batch(directory)
        return directory

    def commit(self, batch: int | str) -> pa.Table:
        """Moves a batch's answers into the table, each key once.

        Returns:
            The rows that were added, with the columns of `RESPONSES`.
        """
        directory = self.directory(batch)
        return self._move([directory] if directory.is_dir() else [], looked_up=True)

    def commit_late(self) -> pa.Table:
        """Moves answers into the table whose batch had ended before they came.

        Returns:
            The rows that were added, with the columns of `RESPONSES`.
        """
        files = list_files(self._spool / LATE)
        rows = self._add_all(files, looked_up=False)
        for file in files:
            file.unlink()
        return rows

    def sweep(self) -> int:
        """Moves what earlier runs left in the spool into the table, unless it is there already.

        Returns:
            How many rows were added.
        """
        late = self.commit_late()
        leftovers = (path for path in self._spool.iterdir() if path.is_dir() and path.name != LATE)
        return int(late.num_rows + self._move(sorted(leftovers), looked_up=False).num_rows)

    def tend(self, now_ms: int) -> None:
        """Compacts the table, and now and then removes superseded answers if there are many.

        Those of the last days stay, since their price still counts against the budget of the day.

        Args:
            now_ms: wall clock, epoch milliseconds.
        """
        with writing(self._responses):
            self._tables.tend(["responses"])
        version = self._tables.version("responses")
        if version - self._tended < _COMMITS_BETWEEN_LOOKS:
            return
        self._tended = version
        self._index.refresh(version)
        rows = row_count(self._responses)
        if rows - len(self._index) >= max(_SUPERSEDED_AT_LEAST, _SUPERSEDED_SHARE * rows):
            try:
                remove_duplicates(self._responses, now_ms - _KEPT_MS)
            except StorageError as error:
                _LOG.warning("superseded answers were not removed, which is tried again: %s", error)

    def close(self) -> None:
        """Lets others have the table for themselves; nothing may be committed afterwards."""
        self._member.release()
        self._lease.release()

    def _move(self, directories: Sequence[Path], *, looked_up: bool) -> pa.Table:
        for place in directories:
            close_batch(place)
        files = [file for place in directories for file in list_files(place)]
        rows = self._add_all(files, looked_up=looked_up)
        for place in directories:
            _remove(place)
        return rows

    def _add_all(self, files: Sequence[Path], *, looked_up: bool) -> pa.Table:
        spooled = [document for file in files for document in read_documents(file)]
        rows = newest_rows(spooled_table(spooled, self._job))
        if not rows.num_rows:
            return rows
        with writing(self._responses):
            return self._add(rows, looked_up=looked_up)

    def _add(self, rows: pa.Table, *, looked_up: bool) -> pa.Table:
        """Appends those of the answers that are still wanted, and returns their rows.

        Where `looked_up`, workers asked only for what was not there after our last commit.
        """
        version = self._tables.version("responses")
        if not looked_up or version != self._written:  # somebody else may have written since
            self._index.refresh(version)
            stored = self._index.lookup(rows["cache_key"].to_pylist())
            if stored:
                rows = rows.filter(pa.array(self._wanted(rows, stored), pa.bool_()))
        self._tables.append_untracked("responses", rows)
        self._written = version + bool(rows.num_rows)
        return rows

    def _wanted(self, rows: pa.Table, stored: Mapping[str, Response]) -> Iterator[bool]:
        """Of each row, whether no answer to its key is stored that a look-up would have found."""
        for key, new in answers_in(rows):
            old = stored.get(key)
            yield old is None or (
                supersedes(new, old) and not self._freshness.holds(old.created_ms, new.created_ms)
            )


def _remove(directory: Path) -> None:
    try:
        shutil.rmtree(directory)
    except OSError as error:  # an attempt that comes too late has just made its file there
        _LOG.warning("%s is left until the next start: %s", directory, error)
