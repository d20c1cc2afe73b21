"""A host's local index of the `responses` table, so that a look-up never scans the table.

The table is the truth; the index can be deleted at any time and comes back by itself.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from streaming_eval.adapters.answer_file import AnswerFile, Source, unreadable
from streaming_eval.adapters.answer_rows import answer_rows, changes
from streaming_eval.adapters.delta_log import Commit, DataFile, DeltaLog
from streaming_eval.adapters.delta_rewrite import read_rewrite
from streaming_eval.errors import StorageError
from streaming_eval.inference.cache.recent_answers import RecentAnswers
from streaming_eval.records import Response

T = TypeVar("T")
_LOG = logging.getLogger(__name__)
_REMEMBERED_CHARS = 32 * 1024 * 1024


class AnswerIndex:
    """Cache key to stored response, over one local file shared by the processes of a host.

    Open it after forking; use it from one thread at a time.

    Args:
        path: where the file lies, but for its generation; directories are made as needed.
        table_uri: local path of the `responses` Delta table.
        remembered_chars: of the texts that this process keeps in memory, about.

    Raises:
        StorageError: the index cannot be made there.
    """

    def __init__(
        self, path: Path, table_uri: str, remembered_chars: int = _REMEMBERED_CHARS
    ) -> None:
        self._path, self._root = path, Path(table_uri)
        self._remembered_chars = remembered_chars
        self._log = DeltaLog(self._root)
        self._version = -1
        self._known = False  # whether the file is known to be of this very table
        self._stamp: tuple[int, int] | None = None
        self._recent = RecentAnswers(remembered_chars)
        try:
            self._file = AnswerFile(path)
        except (sqlite3.Error, OSError) as error:
            raise StorageError(f"answer index {path}: {error}") from error

    def refresh(self, version: int) -> None:
        """Make the answers of all commits up to `version` known; later ones may be, too.

        The first process to come reads the new data files; others wait and find the work done.
        Compaction and what this program removes cost little; where others have deleted or changed
        rows, the files that held them are read. A table that was made anew is read whole, and so is
        one whose old files or commits are gone before they were read.

        Raises:
            StorageError: the table has no such version, or the index cannot be written.
        """
        if version > self._version:
            self._guarded(lambda: self._ingest(version))
            self._version = version

    def follow(self) -> None:
        """Make the answers of all commits known that have been made since the last `refresh`.

        Raises:
            StorageError: the index cannot be written.
        """
        newest = self._version
        while self._log.has(newest + 1):
            newest += 1
        self.refresh(newest)

    def get(self, key: str) -> Response | None:
        """The stored response to one cache key, marked `cached`."""
        found = self._recent.get(key)
        if found is None and (found := self._guarded(lambda: self._file.get(key))) is not None:
            self._recent.remember(key, found)
        return found

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Makes many look-ups in a row cheaper; nothing else may be done inside."""
        with self._file.reading():
            yield

    def lookup(self, keys: Iterable[str]) -> dict[str, Response]:
        """The stored responses to those of the cache keys that have one."""
        wanted = tuple(keys)
        return self._guarded(lambda: self._select(wanted))

    def __len__(self) -> int:
        """How many answers there are, each key once."""
        return self._guarded(lambda: len(self._file))

    def scrub(self) -> bool:
        """Leave no trace of removed answers in the file; False: other processes prevent it now."""
        return self._guarded(lambda: self._file.scrub())

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
        if version >= 0:
            with self._file.writing():
                self._file.source = self._advanced(version)
            self._known = True
        if (stamp := self._file.stamp) != self._stamp:  # an answer was replaced or removed
            self._recent, self._stamp = RecentAnswers(self._remembered_chars), stamp

    def _advanced(self, version: int) -> Source:
        """Takes in everything up to `version`."""
        source = self._file.source
        if source is None or not self._known:
            source = self._begun(source)
        if source.version < version:
            source = self._followed(source, version)
        if source.version < version:
            raise StorageError(
                f"{self._root} is at version {source.version}; version {version} was announced"
            )
        return source

    def _begun(self, source: Source | None) -> Source:
        """Where to go on: at `source` if it is of this table, else with the table as it is."""
        table_id, version, files = self._log.snapshot()
        if source is not None and source.table_id == table_id and source.version <= version:
            return source
        return self._filled(table_id, version, files)

    def _followed(self, source: Source, version: int) -> Source:
        """Takes in the commits since; all rows anew where they cannot be followed any more."""
        try:
            for commit in self._log.commits(source.version, version):
                self._take(commit, source.table_id)
        except StorageError as lost:  # made anew, or cleaned up after a month out of use
            _LOG.info("reading %s whole: %s", self._root, lost)
            return self._filled(*self._log.snapshot())
        return Source(source.table_id, version)

    def _take(self, commit: Commit, table_id: str) -> None:
        if commit.table_id not in (None, table_id):
            raise StorageError("the table was made anew")
        self._add(commit.appended)
        if commit.rewrites:
            rewrite = read_rewrite(self._root, commit.version)
            if rewrite.forgotten is None:
                gone, come = changes(rewrite.removed, rewrite.added)
                self._file.remove(gone)
                self._file.add(come)
            elif rewrite.forgotten:
                self._file.forget(rewrite.forgotten)

    def _filled(self, table_id: str, version: int, files: Iterable[DataFile]) -> Source:
        _LOG.info("filling the index of %s", self._root)
        self._file.clear()
        self._add(files)
        return Source(table_id, version)

    def _add(self, files: Iterable[DataFile]) -> None:
        for file in files:
            self._file.add(answer_rows(self._root / file.path))
