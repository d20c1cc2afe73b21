"""The files that a commit to a Delta table replaced by others, read from its log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson

from streaming_eval.errors import StorageError

FORGOTTEN = "streaming_eval.forgotten_keys"
"""In a commit's `commitInfo`: all cache keys that it left without an answer, a JSON array; the
answers of all other keys are as before."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What a commit that deleted or changed rows did to the table's files.

    Attributes:
        removed: files whose rows are gone or have moved; they stay readable until a VACUUM.
        added: files with the moved and the changed rows.
        forgotten: the cache keys that it left without an answer, all other answers being as
            before; None where the commit does not say, and the files must be compared.
    """

    removed: tuple[Path, ...]
    added: tuple[Path, ...]
    forgotten: tuple[str, ...] | None


def read_rewrite(root: Path, version: int) -> Rewrite:
    """The files that one version took away and brought.

    Args:
        root: the table's directory.
        version: of the commit.

    Raises:
        StorageError: the commit is gone, damaged, or uses deletion vectors.
    """
    path = root / "_delta_log" / f"{version:020d}.json"
    try:
        actions = [orjson.loads(line) for line in path.read_bytes().splitlines() if line]
        infos = [a["commitInfo"] for a in actions if "commitInfo" in a]
        return Rewrite(
            removed=tuple(root / unquote(file["path"]) for file in _changed(actions, "remove")),
            added=tuple(root / unquote(file["path"]) for file in _changed(actions, "add")),
            forgotten=next((_keys(info[FORGOTTEN]) for info in infos if FORGOTTEN in info), None),
        )
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{path} is not a Delta commit: {error}") from None


def _keys(note: str) -> tuple[str, ...]:
    return tuple(bytes.fromhex(key).hex() for key in orjson.loads(note))


def _changed(actions: list[Mapping[str, Any]], kind: str) -> list[Mapping[str, Any]]:
    """The files of one kind of action that changed rows, not only moved them."""
    files = [action[kind] for action in actions if kind in action]
    if any(file.get("deletionVector") for file in files):
        raise StorageError("deletion vectors are not supported")
    return [file for file in files if file["dataChange"]]
