"""A host's local index of the `responses` table, so that a look-up never scans the table.

The table is the truth; the index can be deleted at any time and comes back by itself.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from streaming_eval.adapters.answer_file import AnswerFile, Source, unreadable
from streaming_eval.adapters.delta_log import DataFile, DeltaLog
from streaming_eval.errors import StorageError
from streaming_eval.records import Response

T = TypeVar("T")
Row = tuple[Any, ...]
_LOG = logging.getLogger(__name__)
_ROWS_AT_ONCE = 16_384
_KEPT = ("text", "finish_reason", "input_tokens", "output_tokens", "latency_ms", "attempts")
_COLUMNS = ("cache_key", "request", *_KEPT, "created_at")


class AnswerIndex:
    """Cache key to stored response, over one local file shared by the processes of a host.

    Open it after forking; use it from one thread at a time.

    Args:
        path: where the file lies, but for its generation; directories are made as needed.
        table_uri: local path of the `responses` Delta table.

    Raises:
        StorageError: the index cannot be made there.
    """

    def __init__(self, path: Path, table_uri: str) -> None:
        self._path, self._root = path, Path(table_uri)
        self._log = DeltaLog(self._root)
        self._version = -1
        self._known = False  # whether the file is known to be of this very table
        try:
            self._file = AnswerFile(path)
        except (sqlite3.Error, OSError) as error:
            raise StorageError(f"answer index {path}: {error}") from error

    def refresh(self, version: int) -> None:
        """Make the answers of all commits up to `version` known; later ones may be, too.

        The first process to come reads the new data files; others wait and find the work done.
        Compaction costs nothing. A table that was made anew, or some of whose rows were deleted or
        changed, is read whole.

        Raises:
            StorageError: the table has no such version, or the index cannot be written.
        """
        if version > self._version:
            self._guarded(lambda: self._ingest(version))
            self._version = version

    def get(self, key: str) -> Response | None:
        """The stored response to one cache key, marked `cached`."""
        return self._guarded(lambda: self._file.get(key))

    def lookup(self, keys: Iterable[str]) -> dict[str, Response]:
        """The stored responses to those of the cache keys that have one."""
        wanted = tuple(keys)
        return self._guarded(lambda: self._select(wanted))

    def close(self) -> None:
        self._file.close()

    def _guarded(self, action: Callable[[], T]) -> T:
        """The action's result; an unreadable file is replaced and the action tried once more."""
        try:
            try:
                return action()
            except sqlite3.Error as error:
                if not unreadable(error):
                    raise
                _LOG.warning(
                    "answer index %s cannot be read, making it anew: %s", self._path, error
                )
            self._file.replace()
            self._known = False
            self._ingest(self._version)
            return action()
        except sqlite3.Error as error:
            raise StorageError(f"answer index {self._path}: {error}") from error

    def _select(self, keys: tuple[str, ...]) -> dict[str, Response]:
        with self._file.reading():
            found = ((key, self._file.get(key)) for key in keys)
            return {key: response for key, response in found if response is not None}

    def _ingest(self, version: int) -> None:
        if version < 0:
            return
        with self._file.writing():
            source = self._file.source
            if source is None or not self._known:
                source = self._begun(source)
            if source.version < version:
                source = self._followed(source, version)
            if source.version < version:
                raise StorageError(
                    f"{self._root} is at version {source.version}; version {version} was announced"
                )
            self._file.source = source
        self._known = True

    def _begun(self, source: Source | None) -> Source:
        """Where to go on: at `source` if it is of this table, else with the table as it is."""
        table_id, version, files = self._log.snapshot()
        if source is not None and source.table_id == table_id and source.version <= version:
            return source
        return self._filled(table_id, version, files)

    def _followed(self, source: Source, version: int) -> Source:
        """Takes in the commits since; all rows anew where some were changed or are gone."""
        try:
            commits = list(self._log.commits(source.version, version))
        except StorageError:  # cleaned up: the index has not been used for a month
            commits = []
        if not commits or any(c.rewrites or c.table_id is not None for c in commits):
            return self._filled(*self._log.snapshot())
        for commit in commits:
            self._add(commit.appended)
        return Source(source.table_id, version)

    def _filled(self, table_id: str, version: int, files: Iterable[DataFile]) -> Source:
        _LOG.info("filling the index of %s", self._root)
        self._file.clear()
        self._add(files)
        return Source(table_id, version)

    def _add(self, files: Iterable[DataFile]) -> None:
        for path in (self._root / file.path for file in files):
            try:
                self._file.add(_rows(path))
            except (OSError, pa.ArrowException) as error:
                raise StorageError(f"cannot read {path}: {error}") from error


def _rows(path: Path) -> Iterator[Row]:
    """The answers in a data file, in the order of the index's columns.

    They come sorted by key, some thousands at a time, because SQLite then writes fewer pages.
    """
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_ROWS_AT_ONCE, columns=list(_COLUMNS)):
            rows = _verified(batch)
            if len(rows) < batch.num_rows:
                _LOG.warning(
                    "%s: %d rows left out, their requests have other keys or their text is missing",
                    path,
                    batch.num_rows - len(rows),
                )
            yield from sorted(rows, key=itemgetter(0))


def _verified(batch: pa.RecordBatch) -> list[Row]:
    """The rows whose request hashes to their key; others would answer another question."""
    created_ms = batch["created_at"].cast(pa.timestamp("ms", "UTC"), safe=False)
    columns = [batch[name].to_pylist() for name in ("cache_key", "request", *_KEPT)]
    rows = zip(*columns, created_ms.cast(pa.int64()).to_pylist(), strict=True)
    hashed = (
        (sha256((request or "").encode()).digest(), key, answer) for key, request, *answer in rows
    )
    return [
        (digest, *answer)
        for digest, key, answer in hashed
        if digest.hex() == key and answer[0] is not None
    ]
