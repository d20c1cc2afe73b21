"""Rows leave `responses` in one commit that rewrites the table.

delta-rs' own DELETE is not used: it fails whenever somebody appends meanwhile, makes the append
fail when it wins, and writes texts as Arrow's string views, which many of Arrow's functions refuse.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError

from streaming_eval.adapters.cache_lease import writing
from streaming_eval.adapters.delta_log import DeltaLog
from streaming_eval.adapters.delta_rewrite import FORGOTTEN
from streaming_eval.adapters.schemas import RESPONSES
from streaming_eval.errors import StorageError

Numbers = npt.NDArray[np.int64]
Find = Callable[[Sequence[Path]], Numbers]
"""Data files of the table to the numbers of some of their rows, ascending; see `numbered`."""

_ROWS_AT_ONCE = 16_384
_FILE_BYTES = 64 * 1024 * 1024
_KEYS_IN_LOG = 1_000
_ATTEMPTS = 8
_FIRST_PAUSE_S = 0.1


def files_of(responses: Path, version: int | None = None) -> list[Path]:
    """The table's data files, in an order that is the same each time; the newest where None."""
    return [responses / file.path for file in DeltaLog(responses).snapshot(version)[2]]


def numbered(
    files: Sequence[Path], columns: Sequence[str]
) -> Iterator[tuple[Numbers, pa.RecordBatch]]:
    """All rows, with the columns' own types; a row's number is its place among them."""
    begin = 0
    schema = pa.schema([RESPONSES.field(name) for name in columns])
    for path in files:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_ROWS_AT_ONCE, columns=list(columns)):
                yield (
                    np.arange(begin, begin + batch.num_rows),
                    batch.select(list(columns)).cast(schema),
                )
                begin += batch.num_rows


def find_rows(columns: Sequence[str], chosen: Callable[[pa.RecordBatch], pa.Array]) -> Find:
    """Finds the rows for which a function of some columns is true."""

    def find(files: Sequence[Path]) -> Numbers:
        parts = [
            numbers[pc.fill_null(chosen(batch), False).to_numpy(zero_copy_only=False)]
            for numbers, batch in numbered(files, columns)
        ]
        return np.concatenate([np.empty(0, np.int64), *parts])

    return find


def remove_rows(
    responses: Path,
    find: Find,
    *,
    superseded: bool = False,
    sleep: Callable[[float], object] = time.sleep,
) -> int:
    """Removes rows until there are none left that are found.

    Jobs of this program wait with their commits meanwhile; what other programs append stays.

    Args:
        responses: the table's directory.
        find: which rows; asked again after each commit.
        superseded: whether none of these rows counts, so that no index holds any of them.
        sleep: waits that many seconds, after a commit that another program's got in the way of.

    Returns:
        How many rows were removed.

    Raises:
        StorageError: other programs kept getting in the way.
    """
    removed, pause_s, problem = 0, _FIRST_PAUSE_S, ""
    for _ in range(_ATTEMPTS):
        try:
            now = _remove_once(responses, find, superseded)
        except CommitFailedError as error:
            problem = str(error)
            sleep(pause_s)
            pause_s *= 2
            continue
        if not now:
            return removed
        removed += now
    raise StorageError(f"other programs keep rewriting {responses}, try again later: {problem}")


def _remove_once(responses: Path, find: Find, superseded: bool) -> int:
    with writing(responses):
        table = DeltaTable(str(responses))
        files = files_of(responses, table.version())
        doomed = find(files)
        if len(doomed):
            note = {FORGOTTEN: "[]"} if superseded else _note(files, doomed)
            # Another program's append in between survives this; a compaction in between brings the
            # doomed rows back, which is why the caller looks again.
            write_deltalake(
                table,
                pa.RecordBatchReader.from_batches(RESPONSES, _without(files, doomed)),
                mode="overwrite",
                target_file_size=_FILE_BYTES,
                commit_properties=CommitProperties(custom_metadata=note),
            )
    return len(doomed)


def _without(files: Sequence[Path], doomed: Numbers) -> Iterator[pa.RecordBatch]:
    for numbers, batch in numbered(files, RESPONSES.names):
        yield batch.filter(pa.array(~np.isin(numbers, doomed)))


def _note(files: Sequence[Path], doomed: Numbers) -> dict[str, str]:
    """For indexes: the keys that are no longer in the table, unless they are too many to list."""
    if len(doomed) > _KEYS_IN_LOG:
        return {}
    keys: set[str] = set()
    for goes, column in _keys(files, doomed):
        keys.update(column.filter(goes).drop_null().to_pylist())
    listed = pa.array(sorted(keys), pa.string())
    for goes, column in _keys(files, doomed):
        stays = pc.and_(pc.invert(goes), pc.is_in(column, listed))
        keys.difference_update(column.filter(stays).to_pylist())
    return {FORGOTTEN: json.dumps(sorted(keys))}


def _keys(files: Sequence[Path], doomed: Numbers) -> Iterator[tuple[pa.Array, pa.Array]]:
    for numbers, batch in numbered(files, ["cache_key"]):
        yield pa.array(np.isin(numbers, doomed)), batch["cache_key"]
