"""The answers in the data files of `responses`, as rows of the index, and how they changed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from streaming_eval.errors import StorageError

Row = tuple[Any, ...]
"""Digest of the request, text, finish reason, tokens in, tokens out, latency, attempts, instant."""

_LOG = logging.getLogger(__name__)
_ROWS_AT_ONCE = 16_384
_KEPT = ("text", "finish_reason", "input_tokens", "output_tokens", "latency_ms", "attempts")
_COLUMNS = ("cache_key", "request", *_KEPT, "created_at")


def answer_rows(path: Path) -> Iterator[Row]:
    """The answers in one data file.

    They come sorted by key, some thousands at a time, because SQLite then writes fewer pages.

    Raises:
        StorageError: the file is not there or cannot be read.
    """
    try:
        with pq.ParquetFile(path) as file:
            batches = file.iter_batches(_ROWS_AT_ONCE, columns=list(_COLUMNS), use_threads=False)
            for batch in batches:
                yield from sorted(_verified(batch, path), key=itemgetter(0))
    except (OSError, pa.ArrowException) as error:
        raise StorageError(f"cannot read {path}: {error}") from error


def changes(before: Sequence[Path], after: Sequence[Path]) -> tuple[Iterator[Row], Iterator[Row]]:
    """What a rewrite of data files took away, and what it brought; most rows it only moved.

    All files are read twice at most, one after the other, so memory holds 8 bytes per row.
    """
    old, new = _hashes(before), _hashes(after)
    return _among(before, np.setdiff1d(old, new)), _among(after, np.setdiff1d(new, old))


def _hashes(paths: Sequence[Path]) -> npt.NDArray[np.int64]:
    return np.fromiter(map(hash, _rows(paths)), np.int64)


def _among(paths: Sequence[Path], hashes: npt.NDArray[np.int64]) -> Iterator[Row]:
    wanted = set(hashes.tolist())
    return (row for row in _rows(paths if wanted else ()) if hash(row) in wanted)


def _rows(paths: Iterable[Path]) -> Iterator[Row]:
    for path in paths:
        yield from answer_rows(path)


def _verified(batch: pa.RecordBatch, path: Path) -> list[Row]:
    """The rows whose request hashes to their key; others would answer another question."""
    created_ms = batch["created_at"].cast(pa.timestamp("ms", "UTC"), safe=False)
    columns = [batch[name].to_pylist() for name in ("cache_key", "request", *_KEPT)]
    rows = zip(*columns, created_ms.cast(pa.int64()).to_pylist(), strict=True)
    hashed = (
        (sha256((request or "").encode()).digest(), key, answer) for key, request, *answer in rows
    )
    whole = [
        (digest, *answer)
        for digest, key, answer in hashed
        if digest.hex() == key and answer[0] is not None
    ]
    if len(whole) < batch.num_rows:
        _LOG.warning(
            "%s: %d rows left out, their requests have other keys or their text is missing",
            path,
            batch.num_rows - len(whole),
        )
    return whole
