"""Records that wait, and a storage root that they wait in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from streaming_eval.adapters.pending_records import PendingRecords
from streaming_eval.adapters.tables import Tables
from streaming_eval.inference.requeue import (
    Failure,
    Pending,
    Place,
    RequeueLimits,
    Verdict,
    place,
    verdict,
)
from streaming_eval.records import KafkaRecord
from tests.pipeline.scored import score_row, score_table

LIMITS = RequeueLimits(max_tries=3, first_pause_ms=1_000, longest_pause_ms=4_000)
FRESH, RETRIES = "query", "query/retries"
NOW_MS = 1_700_000_000_000


def record(offset: int) -> KafkaRecord:
    return KafkaRecord("samples", 0, offset, 1_600_000_000_000, b"k", b"value %d" % offset)


def at(*offsets: int) -> set[Place]:
    return {place(record(offset)) for offset in offsets}


def failing(reason: str, *offsets: int, awaited: Iterable[str] = ()) -> dict[Place, Failure]:
    """These records' failures."""
    records = map(record, offsets)
    return {place(one): Failure(one, reason, tuple(awaited)) for one in records}


class Job:
    """One process's view of what waits under a root; a new one is a restart."""

    def __init__(self, root: Path) -> None:
        self.tables = Tables(root)
        self.pending = PendingRecords(self.tables, LIMITS)
        self.pending.load()

    def commit(
        self,
        batch: int,
        failed: Mapping[Place, Failure],
        taken: Mapping[Place, Pending] | None = None,
        now_ms: int = NOW_MS,
    ) -> Verdict:
        """What a batch adds: one of new records, or one of `taken`."""
        decided = verdict(failed, taken or {}, now_ms, LIMITS)
        application = FRESH if taken is None else RETRIES
        self.pending.commit(decided, failed, application, batch, now_ms)
        return decided

    def score(self, batch: int) -> None:
        """The scores of a batch of retries are in the table."""
        self.tables.append("scores", score_table([score_row("any")]), RETRIES, batch)

    def due(self, now_ms: int = NOW_MS + 3_600_000) -> dict[Place, Pending]:
        return self.pending.due(now_ms, 1_000)

    def offsets(self) -> list[tuple[str, int, int]]:
        """Application, batch and offset of every row of the table, in order."""
        rows = self.tables.read("pending").to_pylist()
        return sorted((row["application"], row["batch_id"], row["offset"]) for row in rows)
