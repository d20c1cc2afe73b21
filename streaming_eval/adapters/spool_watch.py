"""What all jobs on a cache have been answered and not committed yet, read from their spools.

Each look reads what has come since the last one. Only cache keys are taken in; an answer is read
when somebody wants it, from a file that is kept open, so that its removal does no harm.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from streaming_eval.adapters.spool import SUFFIX, answer_of, key_of_line
from streaming_eval.inference.cache.freshness import newest
from streaming_eval.records import Response


class SpoolWatch:
    """Follows the spools of some jobs; for one thread."""

    def __init__(self) -> None:
        self._files: dict[str, _Followed] = {}

    def look(self, spools: Iterable[Path]) -> None:
        """Takes in every answer that was whole in one of the spools before this was called."""
        paths = {path for spool in spools for path in _spool_files(spool)}
        for path in self._files.keys() - paths:
            self._files.pop(path).close()
        for path in paths:
            with suppress(FileNotFoundError):  # its batch has been committed
                if path not in self._files:
                    self._files[path] = _Followed(path)
                self._files[path].advance()

    def get(self, key: str) -> Response | None:
        """The newest answer to a cache key, as of the last look."""
        return newest(*(file.get(key) for file in self._files.values()))

    def close(self) -> None:
        """Lets go of all files."""
        for file in self._files.values():
            file.close()
        self._files.clear()


class _Followed:
    """One file, and which answers lie where in it."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._read_bytes = 0
        self._places: dict[str, tuple[int, int]] = {}

    def advance(self) -> None:
        """Takes in the whole lines that have come."""
        more = os.fstat(self._file).st_size - self._read_bytes
        if more <= 0:
            return
        data = os.pread(self._file, more, self._read_bytes)
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            key = key_of_line(data[start:end]) if end > start else None
            if key is not None:
                self._places[key] = (self._read_bytes + start, end - start)
            start = end + 1
        self._read_bytes += start

    def get(self, key: str) -> Response | None:
        place = self._places.get(key)
        if place is None:
            return None
        answer = answer_of(os.pread(self._file, place[1], place[0]))
        return None if answer is None or answer.cache_key != key else answer.response

    def close(self) -> None:
        os.close(self._file)


def _spool_files(spool: Path) -> Iterator[str]:
    for directory in _entries(str(spool)):
        if directory.is_dir():
            for file in _entries(directory.path):
                if file.name.endswith(SUFFIX):
                    yield file.path


def _entries(directory: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
