"""Whether the query that reads a table's appended rows still needs files of old versions."""

from __future__ import annotations

import json
from pathlib import Path

from streaming_eval.adapters.delta_log import DeltaLog


def has_unread_rows(checkpoint: Path, table: Path) -> bool:
    """Whether rows were appended that the query of this checkpoint has not finished with.

    A checkpoint whose progress cannot be made out counts as one with unread rows.

    Raises:
        StorageError: the table's log is damaged.
    """
    if not _numbers(checkpoint / "offsets"):
        return False  # it has not planned a batch yet, and begins with the table as it will be
    read = _version_read(checkpoint)
    if read is None:
        return True
    log = DeltaLog(table)
    newest = log.snapshot()[1]
    return any(commit.appended for commit in log.commits(read, newest))


def _version_read(checkpoint: Path) -> int | None:
    """The newest version that the query has finished with."""
    batches = _numbers(checkpoint / "commits")
    try:
        lines = (checkpoint / "offsets" / str(max(batches))).read_text().splitlines()
        return int(json.loads(lines[-1])["version"])
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None


def _numbers(directory: Path) -> list[int]:
    return [int(path.name) for path in directory.glob("*") if path.name.isdigit()]
