"""The samples that wait for a later batch: the `pending` table, and what of it is in memory."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from streaming_eval.adapters.pending_rows import pending_entries, pending_rows
from streaming_eval.adapters.tables import Tables
from streaming_eval.inference.requeue import (
    Failure,
    Pending,
    Place,
    RequeueLimits,
    Verdict,
    due,
    latest,
    place,
    taken_before,
    waiting,
)

_LOG = logging.getLogger(__name__)
_TABLE = "pending"
_ROWS_BETWEEN_TIDYINGS = 50_000
_MOST_AWAITED = 100_000


class PendingRecords:
    """An append-only log of what waits, read once and kept up from then on; for one thread.

    Args:
        tables: the Delta tables.
        limits: how long samples wait.
    """

    def __init__(self, tables: Tables, limits: RequeueLimits) -> None:
        self._tables, self._limits = tables, limits
        self._appended = 0
        self._waiting: dict[Place, Pending] = {}
        self._awaited: defaultdict[str, set[Place]] = defaultdict(set)
        self._missing: dict[Place, set[str]] = {}
        self._hurried: set[Place] = set()

    def load(self) -> None:
        """Reads the table and takes out of it what nobody needs any more."""
        self._tidy()
        self._waiting = waiting(pending_entries(self._tables.read(_TABLE)))

    def __len__(self) -> int:
        return len(self._waiting)

    def due(self, now_ms: int, most: int) -> dict[Place, Pending]:
        """What may be tried again now, at most so many."""
        return due(self._waiting, now_ms, self._limits, most, self._hurried)

    def earlier(self, application: str, batch: int) -> Verdict | None:
        """The verdict that an earlier attempt at a batch has committed; None if there is none."""
        if not self._tables.committed(_TABLE, application, batch):
            return None
        return Verdict.earlier(pending_entries(self._of(application, batch)))

    def interrupted(self, application: str) -> tuple[int, dict[Place, Pending]] | None:
        """The batch of retries whose scores a kill has prevented, and what it had taken.

        One whose samples all go on waiting has no scores either, and is named, too.
        """
        batch = self._tables.newest(_TABLE, application)
        if batch < 0 or self._tables.committed("scores", application, batch):
            return None
        rows = self._tables.read(_TABLE)
        own = pc.and_(pc.equal(rows["application"], application), pc.equal(rows["batch_id"], batch))
        before = waiting(pending_entries(rows.filter(pc.invert(own))))
        return batch, taken_before(pending_entries(rows.filter(own)), before)

    def commit(
        self, verdict: Verdict, failed: Mapping[Place, Failure], application: str, batch: int,
        now_ms: int,
    ) -> None:  # fmt: skip
        """Writes the entries of a batch in one commit, and goes by them from then on."""
        if verdict.entries:
            rows = pending_rows(verdict.entries, application, batch, now_ms)
            self._tables.append(_TABLE, rows, application, batch)
            self._appended += rows.num_rows
        self.enter(verdict)
        for where in verdict.held & failed.keys():
            if failed[where].awaited:
                self._missing[where] = set(failed[where].awaited)
            for key in failed[where].awaited:
                self._awaited[key].add(where)

    def enter(self, verdict: Verdict) -> None:
        """Goes by entries that are in the table."""
        for entry in verdict.entries:
            where = place(entry.record)
            self._hurried.discard(where)
            self._missing.pop(where, None)
            if entry.settled:
                self._waiting.pop(where, None)
            else:
                self._waiting[where] = entry

    def answered(self, keys: Iterable[str]) -> None:
        """Answers have come: who waited for no others need not wait any longer."""
        if not self._awaited:
            return
        for key in keys:
            for where in self._awaited.pop(key, ()):
                missing = self._missing.get(where, set())
                missing.discard(key)
                if not missing and where in self._waiting:
                    self._hurried.add(where)

    def tend(self) -> None:
        """Compacts the table, and rewrites it when most of it is history."""
        if self._appended >= max(_ROWS_BETWEEN_TIDYINGS, 4 * len(self)):
            self._tidy()
        self._tables.tend((_TABLE,))
        if not self._waiting or len(self._awaited) > _MOST_AWAITED:
            self._awaited.clear()  # who waited for these waits for his time instead
            self._missing.clear()

    def _of(self, application: str, batch: int) -> pa.Table:
        mine: list[tuple[str, str, object]] = [
            ("application", "=", application),
            ("batch_id", "=", batch),
        ]
        return self._tables.read(_TABLE, filters=mine)

    def _tidy(self) -> None:
        """Keeps what waits, and what a repeated batch needs."""
        self._appended = 0
        rows = self._tables.read(_TABLE)
        names = ("application", "batch_id")
        batches = list(zip(*(rows[name].to_pylist() for name in names), strict=True))
        keep = _needed(pending_entries(rows), batches)
        if not all(keep):
            self._tables.replace(_TABLE, rows.filter(pa.array(keep)))
            _LOG.info("%d of %d rows of pending were history", keep.count(False), len(keep))


def _needed(entries: Sequence[Pending], batches: Sequence[tuple[str, int]]) -> list[bool]:
    """Which entries wait, are of an application's last batch, or are what that batch had taken.

    A batch that a kill has interrupted is repeated with what it had taken, and the entries by which
    it settled that hold no bytes. The last entry of a record stays as long as any other does, so
    that none that is settled waits again.
    """
    needed: set[int] = set()
    places: set[Place] = set()
    for newest in dict(sorted(set(batches))).items():
        own = [e for e, batch in zip(entries, batches, strict=True) if batch == newest]
        others = (e for e, batch in zip(entries, batches, strict=True) if batch != newest)
        needed |= {id(entry) for entry in (*own, *taken_before(own, waiting(others)).values())}
        places |= {place(entry.record) for entry in own}
    last = latest(entries)
    needed |= {id(e) for where, e in last.items() if where in places or not e.settled}
    return [id(entry) in needed for entry in entries]
