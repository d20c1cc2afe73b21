"""The table of experiments: one row when one is opened, one when it is closed."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from streaming_eval.adapters.experiment_schema import EXPERIMENTS
from streaming_eval.adapters.tables import Tables
from streaming_eval.errors import StorageError

_TABLE = "experiments"


class ExperimentLog:
    """The log of a storage root.

    Args:
        tables: of that root.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def rows(self) -> list[dict[str, Any]]:
        """All rows: openings in the order of their places, then closings."""
        rows = self._tables.read(_TABLE).to_pylist()
        return sorted(rows, key=lambda row: (row["status"] != "opened", row["place"]))

    def append(self, row: Mapping[str, Any]) -> None:
        """Adds a row; columns that it lacks are null."""
        self._tables.append_untracked(_TABLE, pa.Table.from_pylist([dict(row)], EXPERIMENTS))

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Nobody else reads and then writes meanwhile; waits for who does."""
        path = Path(f"{self._tables.uri(_TABLE)}.lock")
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StorageError(f"cannot open {path}: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
