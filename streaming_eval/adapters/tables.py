"""The Delta tables, appended to from the driver through delta-rs.

A delta-rs commit takes milliseconds where a Spark one takes most of a second, which decides how
fresh scores are; `docs/decisions.md` has the measurement. delta-rs records an application's
transaction version but never skips a repeat, so `append` checks it first. That is exactly-once as
long as one process at a time writes under one application id, which the job's lease ensures.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import (
    CommitProperties,
    DeltaTable,
    Field,
    PostCommitHookProperties,
    Schema,
    Transaction,
    write_deltalake,
)
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from streaming_eval.adapters.delta_log import DeltaLog
from streaming_eval.adapters.schemas import PARTITIONED_BY, SCHEMAS, STATISTICS
from streaming_eval.errors import StorageError

_LOG = logging.getLogger(__name__)
# Commits between two compactions, and to which size: small files are merged often, and large ones
# seldom, so that no row is rewritten more than a few dozen times.
_COMPACTIONS = ((1_000, 64 * 1024 * 1024), (25, 1024 * 1024))
_SECONDS_PER_VACUUM = 86_400.0
_KEPT_HOURS = 168
# Each commit lists the log, and delta-rs' own clean-up after it looks at every entry: 0.1 s for
# 10,000. So it is cleaned once an hour, and keeps what readers may still be behind by.
_SECONDS_PER_CLEANING = 3_600.0
_LOG_KEPT = "interval 6 hours"
_HOOKS = PostCommitHookProperties(cleanup_expired_logs=False)


class Tables:
    """Every table under one root; creates those that do not exist yet.

    A table of an earlier version that lacks columns is given them; they are null in its old rows.

    Args:
        root: the storage root; tables lie under `root/tables`.
        clock: monotonic seconds.
        places: tables that lie elsewhere, by name.

    Supported: use by one thread; another thread, or another process, takes a `Tables` of its own.

    Raises:
        StorageError: a directory holds something else than the table that belongs there.
    """

    def __init__(
        self,
        root: Path,
        clock: Callable[[], float] = time.monotonic,
        places: Mapping[str, Path] = MappingProxyType({}),
    ) -> None:
        self._paths = {name: places.get(name, root / "tables" / name) for name in SCHEMAS}
        self._clock = clock
        self._tables = {name: self._open(name) for name in SCHEMAS}
        self._compacted = {(name, size): 0 for name in SCHEMAS for _, size in _COMPACTIONS}
        self._newest: dict[tuple[str, str], int] = {}
        self._vacuumed = {name: clock() for name in SCHEMAS}
        self._cleaned = dict(self._vacuumed)

    def uri(self, name: str) -> str:
        """Where Spark and other readers find the table."""
        return str(self._paths[name])

    def version(self, name: str) -> int:
        """The newest committed version."""
        return self._current(name).version()

    def append(self, name: str, rows: pa.Table, app_id: str, version: int) -> bool:
        """Appends `rows` in one commit unless (`app_id`, `version`) was committed before.

        Returns:
            True when the rows were written now, False when an earlier attempt had done it.
        """
        if self.committed(name, app_id, version):
            return False
        if rows.num_rows:
            properties = CommitProperties(app_transactions=[Transaction(app_id, version)])
            # A write that fails may yet have been committed, so the log is asked again then.
            del self._newest[name, app_id]
            write_deltalake(
                self._tables[name],
                rows,
                mode="append",
                commit_properties=properties,
                post_commithook_properties=_HOOKS,
            )
            self._newest[name, app_id] = version
        return True

    def committed(self, name: str, app_id: str, version: int) -> bool:
        """Whether (`app_id`, `version`), or a later version, is in the table."""
        return self.newest(name, app_id) >= version

    def newest(self, name: str, app_id: str) -> int:
        """The newest version that an application has committed; -1 for none.

        The log is read for the first question only: nobody else writes under this application id.
        """
        if (name, app_id) not in self._newest:
            newest = self._current(name).transaction_version(app_id)
            self._newest[name, app_id] = -1 if newest is None else newest
        return self._newest[name, app_id]

    def append_untracked(self, name: str, rows: pa.Table) -> None:
        """Appends rows that are idempotent by their own key, such as cached responses."""
        if rows.num_rows:
            write_deltalake(
                self._tables[name], rows, mode="append", post_commithook_properties=_HOOKS
            )

    def replace(self, name: str, rows: pa.Table) -> None:
        """Replaces all rows in one commit; what applications have committed stays known."""
        write_deltalake(
            self._tables[name], rows, mode="overwrite", post_commithook_properties=_HOOKS
        )

    def read(
        self,
        name: str,
        columns: list[str] | None = None,
        filters: list[tuple[str, str, object]] | None = None,
    ) -> pa.Table:
        """The rows that satisfy all filters, e.g. `("scorer", "=", "contains")`."""
        return self._current(name).to_pyarrow_table(columns=columns, filters=filters)

    def largest(self, name: str, column: str) -> Any | None:  # noqa: ANN401 - the column's type
        """Largest value of a column that Delta's log knows of; None where the table is empty."""
        files = pa.table(self._current(name).get_add_actions(flatten=True))
        return pc.max(files[f"max.{column}"]).as_py()

    def _current(self, name: str) -> DeltaTable:
        """The table as it is now.

        To look whether its log goes on takes microseconds, where the library lists the whole log,
        which takes milliseconds. The log is cleaned from its beginning: once the entry that was
        seen last is gone, those after it may be, too.
        """
        table, log = self._tables[name], DeltaLog(self._paths[name])
        if log.has(table.version() + 1) or not log.has(table.version()):
            table.update_incremental()
        return table

    def _open(self, name: str) -> DeltaTable:
        path = self._paths[name]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            table = self._opened_or_made(name, path)
        except (DeltaError, OSError) as error:
            raise StorageError(f"{path} is not a readable Delta table: {error}") from error
        wanted = Schema.from_arrow(SCHEMAS[name])
        if _written_earlier(table.schema(), wanted):
            _complete(table, wanted)
        if _columns(table.schema()) != _columns(wanted):
            raise StorageError(f"{path} does not have the columns of the table {name!r}")
        return table

    def _opened_or_made(self, name: str, path: Path) -> DeltaTable:
        try:
            return DeltaTable(str(path))
        except TableNotFoundError:
            # A new table over a directory that has lost its log would hide what is in there.
            if path.is_dir() and any(entry.name != "_delta_log" for entry in path.iterdir()):
                raise
            return self._create(name, path)

    def tend(self, names: Iterable[str]) -> None:
        """Compacts tables that have gathered many small files; once a day deletes dead files.

        A commit's time grows with the number of files (about 0.1 ms each), so a job of months must
        not let them gather. Compaction changes no row, and streams over the table pass it over.
        """
        for name in names:
            try:
                self._tend(name)
            except DeltaError as error:
                # Someone else may have compacted at the same time; the rows are safe either way.
                _LOG.warning("%s was not compacted and is tried again: %s", name, error)

    def _tend(self, name: str) -> None:
        table = self._current(name)
        for commits, size in _COMPACTIONS:
            if table.version() - self._compacted[name, size] >= commits:
                # Another job may have compacted since. To compact the same files again would bring
                # their rows back: the library commits that without a conflict. So it looks itself.
                table.update_incremental()
                table.optimize.compact(target_size=size)
                self._compacted[name, size] = table.version()
        if self._clock() - self._cleaned[name] >= _SECONDS_PER_CLEANING:
            table.cleanup_metadata()
            self._cleaned[name] = self._clock()
        if self._clock() - self._vacuumed[name] >= _SECONDS_PER_VACUUM:
            table.vacuum(retention_hours=_KEPT_HOURS, dry_run=False)
            self._vacuumed[name] = self._clock()

    @staticmethod
    def _create(name: str, path: Path) -> DeltaTable:
        return DeltaTable.create(
            str(path),
            schema=SCHEMAS[name],
            mode="ignore",
            partition_by=PARTITIONED_BY.get(name),
            name=name,
            configuration={"delta.logRetentionDuration": _LOG_KEPT} | _statistics(name),
        )


def _columns(schema: Schema) -> dict[str, Field]:
    """By name: a column that was added later stands last."""
    return {field.name: field for field in schema.fields}


def _written_earlier(found: Schema, wanted: Schema) -> bool:
    """Whether a table is one of an earlier version, which only lacks columns."""
    mine = _columns(wanted)
    held = all(mine.get(field.name) == field for field in found.fields)
    return held and 0 < len(found.fields) < len(mine)


def _complete(table: DeltaTable, wanted: Schema) -> None:
    """Adds the columns that the table lacks, unless another process has been faster."""
    lacking = [field for field in wanted.fields if field not in table.schema().fields]
    try:
        table.alter.add_columns(lacking)
    except CommitFailedError as error:
        _LOG.debug("%s has changed meanwhile, looking again: %s", table.table_uri, error)
    table.update_incremental()


def _statistics(name: str) -> dict[str, str]:
    columns = STATISTICS.get(name)
    return {"delta.dataSkippingStatsColumns": ",".join(columns)} if columns else {}
