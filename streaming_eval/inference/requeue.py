"""Samples whose calls failed for no fault of their own, kept for a later batch.

A sample is scored as a whole or waits as a whole, because values are compared between models on the
same sample; the calls that were answered come from the cache the next time. What waits is an
append-only log of `Pending`: of a record's entries the last one counts. One commit holds all
entries of a batch and comes before the batch's scores, so that a batch that a kill interrupts
between the two finds its own entries, and takes them for its decision instead of deciding anew:

    entries = those committed under this batch, if any, else verdicts(failed, taken, ...)
    scores written = those of all records but `held(entries)`
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from streaming_eval.records import KafkaRecord

JUDGE_PREFIX, EMBEDDING_PREFIX = "judge_", "embedding_"
"""Begin the error of a score whose judge's, or whose embedding's, call failed."""

_WORTH_IT = frozenset(
    (
        "bad_http",
        "batch_deadline",
        "circuit_open",
        "connection",
        "deadline",
        "dns",
        "http_408",
        "http_409",
        "http_425",
        "http_429",
        "quota_unreachable",
        "timeout",
    )
)

Place = tuple[str, int, int]
"""Topic, partition and offset: which record it is."""


def worth_another_batch(error: str | None) -> bool:
    """Whether a call that failed so, or a score's error, may well succeed later.

    >>> worth_another_batch("http_503"), worth_another_batch("judge_timeout")
    (True, True)
    >>> worth_another_batch("http_400"), worth_another_batch(None)
    (False, False)
    """
    reason = (error or "").removeprefix(JUDGE_PREFIX).removeprefix(EMBEDDING_PREFIX)
    return reason in _WORTH_IT or reason.startswith("http_5")


@dataclass(frozen=True, slots=True)
class RequeueLimits:
    """How often and when a sample is tried again.

    Attributes:
        max_batches: in how many batches it is tried at most, the first one included, at least 1.
        first_pause_ms: after the first; doubled after each further one. With calls that linger it
            is to be longer than a request's deadline: by then they are answered or over.
        longest_pause_ms: what doubling ends at.
    """

    max_batches: int
    first_pause_ms: int
    longest_pause_ms: int


@dataclass(frozen=True, slots=True)
class Pending:
    """One entry of the log.

    Attributes:
        record: as it lies in the topic; without key and value in the entry that settles it.
        batches: in how many it has been tried.
        settled: whether its scores are, or are about to be, in the table; else it waits.
        reason: the error that made it wait; empty once it is settled.
        not_before_ms: epoch milliseconds; the log outlives the process, so no monotonic clock can
            tell.
    """

    record: KafkaRecord
    batches: int
    settled: bool = False
    reason: str = ""
    not_before_ms: int = 0


def place(record: KafkaRecord) -> Place:
    """Where the record lies, which is what it is known by."""
    return record.topic, record.partition, record.offset


def waiting(entries: Iterable[Pending]) -> dict[Place, Pending]:
    """The records that wait, by place, from all entries in any order."""
    last: dict[Place, Pending] = {}
    for entry in entries:
        known = last.get(place(entry.record))
        if known is None or (entry.batches, entry.settled) > (known.batches, known.settled):
            last[place(entry.record)] = entry
    return {where: entry for where, entry in last.items() if not entry.settled}


def due(
    records: Mapping[Place, Pending], now_ms: int, limits: RequeueLimits, most: int
) -> dict[Place, Pending]:
    """The waiting records whose time has come, at most `most`, those that waited longest first.

    One that is to wait for longer than the longest pause was written before the clock was set back,
    and is due.
    """
    ready = (
        (where, entry)
        for where, entry in sorted(records.items(), key=lambda item: item[1].not_before_ms)
        if not now_ms < entry.not_before_ms <= now_ms + limits.longest_pause_ms
    )
    return dict(islice(ready, most))


def verdicts(
    failed: Mapping[Place, tuple[KafkaRecord, str]],
    taken: Mapping[Place, Pending],
    now_ms: int,
    limits: RequeueLimits,
) -> list[Pending]:
    """The entries that a batch adds to the log, all in one commit.

    Args:
        failed: the records of this batch with an error that is worth another, and that error.
        taken: the records of this batch that came from the log.
        now_ms: epoch milliseconds.
        limits: see `RequeueLimits`.
    """
    entries = []
    for where in {**taken, **failed}:
        before = taken[where].batches if where in taken else 0
        if where in failed and before + 1 < limits.max_batches:
            record, reason = failed[where]
            pause_ms = min(limits.longest_pause_ms, limits.first_pause_ms * 2**before)
            entries.append(Pending(record, before + 1, False, reason, now_ms + pause_ms))
        elif where in taken:
            record = replace(taken[where].record, key=None, value=None)
            entries.append(Pending(record, before + 1, settled=True))
    return entries


def taken_before(
    entries: Iterable[Pending], records: Mapping[Place, Pending]
) -> dict[Place, Pending]:
    """What an earlier attempt at a batch took from the log.

    Args:
        entries: those it committed.
        records: what waited before it did so.
    """
    places = (place(entry.record) for entry in entries)
    return {where: records[where] for where in places if where in records}


def held(entries: Iterable[Pending]) -> frozenset[Place]:
    """The records whose scores a batch with these entries must not write."""
    return frozenset(place(entry.record) for entry in entries if not entry.settled)
