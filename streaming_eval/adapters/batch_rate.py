"""The sampling rate of a batch, written down before its first call and kept in all attempts."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from streaming_eval.errors import StorageError


class BatchRate:
    """One small file with the rate of the batch that was begun last.

    A batch that a kill interrupts is begun again with the same rate, however much of the budget its
    first attempt has used: a rate must not depend on what the samples of its own batch cost.

    Args:
        path: inside the query's checkpoint, whose batches it belongs to.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def fixed(self, batch_id: int, decide: Callable[[], float]) -> float:
        """The rate of a batch: as decided now, or as it was when the batch was begun before.

        Raises:
            StorageError: the file cannot be read or written.
        """
        try:
            known = self._read()
            if known is not None and known[0] == batch_id:
                return known[1]
            rate = decide()
            self._write(batch_id, rate)
        except OSError as error:
            raise StorageError(f"{self._path}: {error.strerror}") from error
        return rate

    def _read(self) -> tuple[int, float] | None:
        try:
            document = json.loads(self._path.read_text())
            return int(document["batch_id"]), float(document["rate"])
        except FileNotFoundError:
            return None
        except (KeyError, TypeError, ValueError):
            raise StorageError(
                f"{self._path} is no sampling rate; delete it: the batch is given a new one"
            ) from None

    def _write(self, batch_id: int, rate: float) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(".partial")
        with partial.open("w") as file:
            json.dump({"batch_id": batch_id, "rate": rate}, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._path)
