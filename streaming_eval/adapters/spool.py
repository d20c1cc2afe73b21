"""Answers written ahead of the commit, so that a crash pays for nothing twice.

One file per task attempt, one line per answer: CRC-32 of the JSON as 8 hexadecimal digits, a space,
the JSON. Each line begins as well as ends with a line feed, so that a torn line spoils no other.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar
from zlib import crc32

from streaming_eval.errors import StorageError
from streaming_eval.inference.cache.paid_answer import (
    Document,
    PaidAnswer,
    checked_document,
    decode,
    encode,
    encoded_key,
)

T = TypeVar("T")
SUFFIX = ".spool"
_BODY_AT = 9
_LOG = logging.getLogger(__name__)


class SpoolWriter:
    """Appends answers to one file; what is appended survives the death of this process.

    It survives the machine's power loss too, but for the last `sync_every_s` seconds.

    Args:
        path: ends in `.spool`; directories are made as needed.
        clock: monotonic seconds.
        sync_every_s: at most that often is the file forced to the disk, and once at `close`.
    """

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float] = time.monotonic,
        sync_every_s: float = 1.0,
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._clock, self._sync_every_s = path, clock, sync_every_s
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._synced_at = clock()
        self._dirty = False

    def append(self, answer: PaidAnswer) -> None:
        """Write one answer.

        Raises:
            StorageError: the disk did not take all of it.
        """
        body = encode(answer)
        line = b"\n%08x %s\n" % (crc32(body), body)
        try:
            written = os.write(self._file, line)
        except OSError as error:
            raise StorageError(f"cannot write {self._path}: {error.strerror}") from error
        if written != len(line):
            raise StorageError(f"cannot write {self._path}: the disk took {written} bytes only")
        self._dirty = True
        if self._clock() - self._synced_at >= self._sync_every_s:
            self._sync()

    def close(self) -> None:
        """Force the rest to the disk and let go of the file; may be called twice."""
        if self._file < 0:
            return
        try:
            self._sync()
        finally:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> SpoolWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _sync(self) -> None:
        if self._dirty:
            try:
                os.fdatasync(self._file)
            except OSError as error:
                raise StorageError(f"cannot flush {self._path}: {error.strerror}") from error
        self._synced_at = self._clock()
        self._dirty = False


@dataclass(frozen=True, slots=True)
class SpoolContents:
    """What one file holds; `damaged` counts the lines that were skipped, a torn end included."""

    answers: tuple[PaidAnswer, ...]
    damaged: int


def list_files(directory: Path) -> list[Path]:
    """The spool files in a directory, by name; none where there is no directory."""
    return sorted(directory.glob(f"*{SUFFIX}"))


def read_file(path: Path) -> SpoolContents:
    """The whole answers of one file; a file that has meanwhile been removed holds none."""
    return SpoolContents(*_read(path, decode))


def read_documents(path: Path) -> list[Document]:
    """The same as JSON objects, for who needs thousands and no `PaidAnswer` of them."""
    return [*_read(path, checked_document)[0]]


def read_spool(directory: Path) -> Iterator[PaidAnswer]:
    """Every whole answer below `directory`, file by file; a cache key may come more than once."""
    for path in list_files(directory):
        yield from read_file(path).answers


def key_of_line(line: bytes) -> str | None:
    """The cache key on a line, unchecked; None where the line is not of a spool."""
    return encoded_key(line[_BODY_AT:])


def answer_of(line: bytes) -> PaidAnswer | None:
    """The answer on a line; None where it is damaged."""
    return _read_line(line, decode)


def _read(path: Path, reading: Callable[[bytes], T]) -> tuple[tuple[T, ...], int]:
    """What the lines of one file hold, and how many were skipped."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        lines = []
    found = [_read_line(line, reading) for line in lines if line]
    whole = tuple(one for one in found if one is not None)
    damaged = len(found) - len(whole)
    if damaged:
        _LOG.warning("%s: %d damaged lines skipped", path, damaged)
    return whole, damaged


def _read_line(line: bytes, reading: Callable[[bytes], T]) -> T | None:
    body = line[_BODY_AT:]
    if line[:_BODY_AT] != b"%08x " % crc32(body):
        return None
    try:
        return reading(body)
    except StorageError:
        return None
