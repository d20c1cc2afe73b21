"""A host's local index of the `responses` table, so that a look-up never scans the table.

The table is the truth; the index can be deleted at any time and comes back by itself.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from hashlib import sha256
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from streaming_eval.adapters.answer_file import AnswerFile, Source, unreadable
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
        self._path, self._root = path, table_uri
        self._table: DeltaTable | None = None
        self._version = -1
        try:
            self._file = AnswerFile(path)
        except (sqlite3.Error, OSError) as error:
            raise StorageError(f"answer index {path}: {error}") from error

    def refresh(self, version: int) -> None:
        """Make the answers of all commits up to `version` known; later ones may be, too.

        The first process to come reads the new data files; others wait and find the work done. The
        rows of a table that was made anew, and of files that left the table, are forgotten.

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
            if self._holds(source, version):
                return
            table = self._table = self._table_at(version)
            files = _files(table)
            known = self._file.files()
            if not known.issubset(files):  # their names hold UUIDs and are never used again
                _LOG.info("%s was made anew or rewritten; so is its index", self._root)
                self._file.clear()
                known = set()
            for path in files:
                if path not in known:
                    self._add(path)
            self._file.source = Source(str(table.metadata().id), table.version())

    def _add(self, path: str) -> None:
        file = Path(self._root, path)
        try:
            self._file.add(path, _rows(file))
        except (OSError, pa.ArrowException) as error:
            raise StorageError(f"cannot read {file}: {error}") from error

    def _holds(self, source: Source | None, version: int) -> bool:
        """Whether another process has been here; known only for a table that was opened before."""
        if source is None or self._table is None:
            return False
        return source.version >= version and source.table_id == str(self._table.metadata().id)

    def _table_at(self, version: int) -> DeltaTable:
        table = self._table
        try:
            if table is not None:
                with suppress(DeltaError):  # perhaps it was made anew since it was opened
                    table.update_incremental()
            if table is None or table.version() < version:
                table = DeltaTable(self._root)
        except DeltaError as error:
            raise StorageError(f"{self._root} is not a readable Delta table: {error}") from error
        if table.version() < version:
            raise StorageError(
                f"{self._root} is at version {table.version()}; version {version} was announced"
            )
        return table


def _files(table: DeltaTable) -> list[str]:
    """The table's data files as paths below it, the oldest first."""
    actions = pa.table(table.get_add_actions())
    ordered = actions.sort_by([("modification_time", "ascending"), ("path", "ascending")])
    return [unquote(path) for path in ordered["path"].to_pylist()]


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
