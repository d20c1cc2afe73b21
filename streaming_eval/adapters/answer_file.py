"""The SQLite file behind the answer index: any process may use it, none needs to trust it.

It is `<path>.<generation>`. A file that cannot be read is left for the next generation and a name
is never used again, because SQLite goes by names: replacing a file that another process still has
open would damage the new one.
"""

from __future__ import annotations

import fcntl
import logging
import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from streaming_eval.inference.cache.freshness import tie_break
from streaming_eval.records import Response, Usage

SCHEMA_VERSION = 3

_LOG = logging.getLogger(__name__)
_LOCK_TIMEOUT_MS = 300_000
_SCRUB_TIMEOUT_MS = 2_000
_WAL_PAGES = 8_192
_UNREADABLE = (
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_MISMATCH,
)
_CREATE = f"""
    BEGIN IMMEDIATE;
    CREATE TABLE source (table_id TEXT NOT NULL, version INTEGER NOT NULL);
    CREATE TABLE answers (
        cache_key BLOB PRIMARY KEY, text TEXT NOT NULL, finish_reason TEXT, input_tokens INTEGER,
        output_tokens INTEGER, latency_ms REAL, attempts INTEGER, created_ms INTEGER NOT NULL
    );
    CREATE TABLE changes (n INTEGER NOT NULL);
    INSERT INTO changes VALUES (0);
    CREATE TRIGGER replaced AFTER UPDATE ON answers BEGIN UPDATE changes SET n = n + 1; END;
    PRAGMA user_version = {SCHEMA_VERSION};
    COMMIT;
"""
_SELECT = """
    SELECT text, finish_reason, input_tokens, output_tokens, latency_ms, attempts, created_ms
    FROM answers WHERE cache_key = ?
"""
_INSERT = """
    INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (cache_key) DO UPDATE SET
        text = excluded.text, finish_reason = excluded.finish_reason,
        input_tokens = excluded.input_tokens, output_tokens = excluded.output_tokens,
        latency_ms = excluded.latency_ms, attempts = excluded.attempts,
        created_ms = excluded.created_ms
    WHERE excluded.created_ms > created_ms
       OR (excluded.created_ms = created_ms AND tie_break(excluded.text) < tie_break(text))
"""
_CHANGED = "UPDATE changes SET n = n + 1"


class Source(NamedTuple):
    """What the file was filled from: a Delta table's identity and its version."""

    table_id: str
    version: int


class AnswerFile:
    """One process's connection to the newest readable generation; for one thread at a time.

    Every method lets `sqlite3.Error` through; `unreadable` tells which of them `replace` cures.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._generation, self._db = _open(path, at_least=0)

    def replace(self) -> None:
        """Give up this generation; the next one is empty, or filled by who gave it up before."""
        self.close()
        self._generation, self._db = _open(self._path, at_least=self._generation + 1)

    def close(self) -> None:
        with suppress(sqlite3.Error):
            self._db.close()

    def get(self, key: str) -> Response | None:
        """The response under a cache key, marked `cached`."""
        row = self._db.execute(_SELECT, (bytes.fromhex(key),)).fetchone()
        if row is None:
            return None
        text, finish_reason, tokens_in, tokens_out, latency_ms, attempts, created_ms = row
        return Response(
            text=text,
            finish_reason=finish_reason,
            usage=Usage(tokens_in, tokens_out),
            latency_ms=latency_ms,
            created_ms=created_ms,
            attempts=attempts,
            cached=True,
        )

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Spares each look-up inside a transaction of its own."""
        self._db.execute("BEGIN DEFERRED")
        try:
            yield
        finally:
            if self._db.in_transaction:  # a file that was replaced inside has none
                self._db.execute("COMMIT")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """All or nothing, and nobody else meanwhile: others wait for up to five minutes."""
        with self._transaction("IMMEDIATE"):
            yield

    @property
    def source(self) -> Source | None:
        row = self._db.execute("SELECT table_id, version FROM source").fetchone()
        return None if row is None else Source(*row)

    @source.setter
    def source(self, value: Source) -> None:
        self._db.execute("DELETE FROM source")
        self._db.execute("INSERT INTO source VALUES (?, ?)", value)

    @property
    def stamp(self) -> tuple[int, int]:
        """Changes whenever an answer was replaced or removed, and not when one was only added."""
        (changes,) = self._db.execute("SELECT n FROM changes").fetchone()
        return self._generation, changes

    def __len__(self) -> int:
        (count,) = self._db.execute("SELECT count(*) FROM answers").fetchone()
        return int(count)

    def add(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Take in rows in the order of the columns; of equal keys the newest answer wins."""
        self._db.executemany(_INSERT, rows)

    def remove(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Take out those rows that are still the answers to their keys."""
        gone = ((row[0], row[-1]) for row in rows)
        self._db.executemany("DELETE FROM answers WHERE cache_key = ? AND created_ms = ?", gone)
        self._db.execute(_CHANGED)

    def forget(self, keys: Iterable[str]) -> None:
        """Take out the answers to these cache keys."""
        digests = ((bytes.fromhex(key),) for key in keys)
        self._db.executemany("DELETE FROM answers WHERE cache_key = ?", digests)
        self._db.execute(_CHANGED)

    def clear(self) -> None:
        for table in ("answers", "source"):
            self._db.execute(f"DELETE FROM {table}")
        self._db.execute(_CHANGED)

    def scrub(self) -> bool:
        """Empty the write-ahead log, where removed answers can still be; False: it is in use.

        The file itself holds nothing of them: SQLite writes zeros over what is deleted.
        """
        self._db.execute(f"PRAGMA busy_timeout = {_SCRUB_TIMEOUT_MS}")
        try:
            (busy, _, _) = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            self._db.execute(f"PRAGMA busy_timeout = {_LOCK_TIMEOUT_MS}")
        return not busy

    @contextmanager
    def _transaction(self, kind: str) -> Iterator[None]:
        self._db.execute(f"BEGIN {kind}")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise


def unreadable(error: sqlite3.Error) -> bool:
    """Whether the file is to blame, not a full disk, a missing right or a lock held too long."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)  # none for broken UTF-8
    return code & 0xFF in _UNREADABLE


def _open(path: Path, at_least: int) -> tuple[int, sqlite3.Connection]:
    """The newest readable generation from `at_least` on, made if need be, and its number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        generation = max([at_least, *(number for number, _ in _generations(path))])
        try:
            db = _connect(path.with_name(f"{path.name}.{generation}"))
        except sqlite3.Error as error:
            if not unreadable(error):
                raise
            _LOG.warning("%s.%d cannot be read, making it anew: %s", path, generation, error)
            generation += 1
            db = _connect(path.with_name(f"{path.name}.{generation}"))
        for number, old in _generations(path):
            if number < generation:
                old.unlink(missing_ok=True)
        return generation, db


def _generations(path: Path) -> list[tuple[int, Path]]:
    """Each file of each generation, SQLite's companions (`-wal`, `-shm`) included."""
    name = re.compile(re.escape(path.name) + r"\.(\d+)(-wal|-shm|-journal)?")
    found = ((name.fullmatch(file.name), file) for file in path.parent.iterdir())
    return [(int(match[1]), file) for match, file in found if match]


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(
        path, timeout=_LOCK_TIMEOUT_MS / 1_000, isolation_level=None, check_same_thread=False
    )
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA secure_delete = ON")
        db.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
        db.create_function("tie_break", 1, tie_break, deterministic=True)
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            db.executescript(_CREATE)
        elif version != SCHEMA_VERSION:
            raise sqlite3.DatabaseError(f"its schema version is {version}, not {SCHEMA_VERSION}")
    except BaseException:
        db.close()
        raise
    return db
