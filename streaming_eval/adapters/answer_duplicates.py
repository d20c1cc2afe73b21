"""Superseded answers: rows of `responses` whose key has another row that counts.

They come from answers that were asked for again (`refresh`, `max_age`) and from other programs that
append. No reader is misled by them, since all go by the same rule; they only take up room.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from streaming_eval.adapters.answer_removal import Numbers, files_of, numbered, remove_rows
from streaming_eval.adapters.delta_log import DeltaLog
from streaming_eval.inference.cache.freshness import tie_break

_HASHED_CHARS = 16
_MIX = np.uint64(0x9E3779B97F4A7C15)


def row_count(responses: Path) -> int:
    """Rows of the table, superseded ones too, as its log tells; no file is read."""
    return sum(file.rows for file in DeltaLog(responses).snapshot()[2])


def key_count(responses: Path, version: int) -> int:
    """How many different keys the table holds; one in 10^5 counts of 10^7 keys is one too low."""
    return len(np.unique(_key_hashes(files_of(responses, version))))


def remove_duplicates(responses: Path, before_ms: int | None = None) -> int:
    """Removes superseded answers, as `remove_rows` does.

    Args:
        responses: the table's directory.
        before_ms: epoch milliseconds; only superseded answers of before are removed. None: all.

    Returns:
        How many rows were removed.

    Raises:
        StorageError: other programs kept getting in the way.
    """
    return remove_rows(responses, partial(find_superseded, before_ms=before_ms), superseded=True)


def find_superseded(files: Sequence[Path], before_ms: int | None = None) -> Numbers:
    """The numbers of the rows that are superseded, in ascending order."""
    hashes = _key_hashes(files)
    found, counts = np.unique(hashes, return_counts=True)
    rows = np.flatnonzero(np.isin(hashes, found[counts > 1]))
    if not len(rows):
        return rows
    rivals = _rivals(files, rows)
    keys, created_ms = rivals["key"], rivals["created_ms"]
    order = np.lexsort((rows, rivals["tie"], -created_ms, rivals["invalid"], keys))
    loses = np.zeros(len(rows), np.bool_)
    loses[1:] = keys[order][1:] == keys[order][:-1]
    if before_ms is not None:
        loses &= created_ms[order] < before_ms
    return np.sort(rows[order][loses])


def _key_hashes(files: Sequence[Path]) -> npt.NDArray[np.uint64]:
    parts = [_hashes(batch["cache_key"]) for _, batch in numbered(files, ["cache_key"])]
    return np.concatenate([np.empty(0, np.uint64), *parts])


def _hashes(keys: pa.Array) -> npt.NDArray[np.uint64]:
    """64 bits of each key, to find those that may be equal in little memory."""
    starts = pc.binary_slice(pc.fill_null(keys.cast(pa.binary()), b""), 0, _HASHED_CHARS)
    words = np.array(starts.to_pylist(), f"S{_HASHED_CHARS}").view(np.uint64).reshape(-1, 2)
    hashes: npt.NDArray[np.uint64] = words[:, 0] * _MIX ^ words[:, 1]
    return hashes


def _rivals(files: Sequence[Path], rows: Numbers) -> npt.NDArray[np.void]:
    """What decides between the rows with these numbers."""
    columns = ["cache_key", "request", "text", "created_at"]
    decisive: list[tuple[bytes, bool, int, bytes]] = []
    for numbers, batch in numbered(files, columns):
        chosen = batch.filter(pa.array(np.isin(numbers, rows)))
        instants = chosen["created_at"].cast(pa.timestamp("ms", "UTC"), safe=False)
        values = (chosen[name].to_pylist() for name in columns[:3])
        decisive += map(_decisive, *values, instants.cast(pa.int64()).to_pylist())
    kinds = [("key", "S64"), ("invalid", "?"), ("created_ms", "i8"), ("tie", "S32")]
    return np.array(decisive, kinds)


def _decisive(
    key: str | None, request: str | None, text: str | None, created_ms: int | None
) -> tuple[bytes, bool, int, bytes]:
    own_key = sha256((request or "").encode()).hexdigest()
    invalid = text is None or own_key != key
    return (key or "").encode(), invalid, created_ms or 0, tie_break(text)
