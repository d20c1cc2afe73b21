"""Checkpoint directories: healed before a query starts, and held by one job at a time."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from streaming_eval.errors import StorageError


def heal(checkpoint: Path) -> list[Path]:
    """Removes what a kill before the first committed batch leaves behind.

    Spark refuses to start batch 0 in a checkpoint whose `offsets/` is not empty, and counts the
    temporary file of an interrupted write. Only such orphans are removed, and only while no batch
    was ever logged; anything else is left for Spark to judge.

    Returns:
        The files removed.
    """
    logs = [checkpoint / "offsets", checkpoint / "commits"]
    if not checkpoint.is_dir() or any(_logged_batches(log) for log in logs):
        return []
    orphans = [path for path in sorted(checkpoint.rglob(".*")) if _orphaned(path)]
    for orphan in orphans:
        orphan.unlink()
    return orphans


def query_id(checkpoint: Path) -> str:
    """The id Spark gave the query that owns this checkpoint: the application id of its commits.

    Raises:
        StorageError: the checkpoint has no readable `metadata` file.
    """
    path = checkpoint / "metadata"
    try:
        return str(json.loads(path.read_text())["id"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"{path} does not name its query ({error}); restore it from a copy, or move the whole "
            "checkpoint away together with the tables it wrote"
        ) from error


def agree(checkpoint: Path, meaning: Mapping[str, str]) -> None:
    """Makes sure that a checkpoint's state means what the configuration takes it to mean.

    Args:
        checkpoint: of the query; its meaning is kept beside it.
        meaning: setting to value, for every setting that state was built with.

    Raises:
        StorageError: the state was built with other values; names them and the way out.
    """
    kept = checkpoint.with_name(f"{checkpoint.name}.meaning.json")
    if not checkpoint.exists() or not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_suffix(".partial")
        partial.write_text(json.dumps(meaning, indent=2) + "\n")
        partial.replace(kept)
        return
    before = json.loads(kept.read_text())
    changed = [f"{k} was {before.get(k)}, is {v}" for k, v in meaning.items() if before.get(k) != v]
    if changed:
        raise StorageError(
            f"{checkpoint} was built with other settings: {'; '.join(changed)}; set them back, or "
            "move that directory away: the query then computes everything anew from the tables"
        )


@contextmanager
def lease(root: Path) -> Iterator[None]:
    """Holds the storage root for this process; the kernel frees it when the process ends.

    Raises:
        StorageError: another process holds it.
    """
    root.mkdir(parents=True, exist_ok=True)
    path = root / "job.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip()
            raise StorageError(
                f"{root} is in use by another streaming-eval job (process {holder}); stop it, or "
                "give this job a storage.root of its own"
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        os.close(descriptor)


def _logged_batches(log: Path) -> bool:
    return log.is_dir() and any(path.name.isdigit() for path in log.iterdir())


def _orphaned(path: Path) -> bool:
    """Whether a file is what an interrupted write left, or the checksum of no whole file."""
    if not path.is_file() or path.suffix != ".crc":
        return path.is_file() and path.suffix == ".tmp"
    summed = path.with_name(path.stem.removeprefix("."))
    return summed.suffix == ".tmp" or not summed.exists()
