"""Samples whose calls failed for no fault of their own, kept for a later batch.

A sample is scored as a whole or waits as a whole, because values are compared between models on the
same sample; the calls that were answered come from the cache the next time. What waits is an
append-only log of `Pending`: of a record's entries the last one counts. One commit holds all
entries of a batch and comes before the batch's scores, so that a batch that a kill interrupts
between the two finds its own entries, and takes them for its decision instead of deciding anew:

    v = Verdict.earlier(those committed under this batch), if any, else verdict(failed, taken, ...)
    scores written = those of all records but `v.held`
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from streaming_eval.inference.calls.batch_deadline import NOT_BEGUN
from streaming_eval.inference.passing_failures import call_reason
from streaming_eval.records import KafkaRecord

Place = tuple[str, int, int]
"""Topic, partition and offset: which record it is."""


@dataclass(frozen=True, slots=True)
class RequeueLimits:
    """How often and when a sample is tried again.

    Attributes:
        max_tries: how often it is tried at most, the first time included, at least 1.
        first_pause_ms: after the first; doubled after each further one.
        longest_pause_ms: what doubling ends at.
        call_ms: how long a call may take that is under way when its batch ends: by then it is
            answered or over, and asking again is no second payment.
    """

    max_tries: int
    first_pause_ms: int
    longest_pause_ms: int
    call_ms: int = 0

    def pause_ms(self, tries: int, failure: Failure) -> int:
        """How long a sample waits that was tried so often, the last time in vain."""
        if not failure.tried:
            return 0
        doublings = min(max(0, tries - 1), 30)
        pause: int = min(self.longest_pause_ms, self.first_pause_ms << doublings)
        return max(pause, self.call_ms) if failure.awaited else pause


@dataclass(frozen=True, slots=True)
class Failure:
    """A sample that lacks an answer which it may well get later.

    Attributes:
        reason: of the first call that failed so; `not_begun` where none was made in vain.
        awaited: cache keys of the calls that are still under way.
    """

    record: KafkaRecord
    reason: str
    awaited: tuple[str, ...] = ()

    @property
    def tried(self) -> bool:
        """Whether it counts as a try."""
        return call_reason(self.reason) != NOT_BEGUN


@dataclass(frozen=True, slots=True)
class Pending:
    """One entry of the log.

    Attributes:
        record: as it lies in the topic; without key and value in the entry that settles it.
        batches: in how many it was, so that entries have an order.
        tries: in how many of them calls were made for it in vain.
        settled: whether its scores are, or are about to be, in the table; else it waits.
        reason: the error that made it wait; empty once it is settled.
        not_before_ms: epoch milliseconds; the log outlives the process, so no monotonic clock can
            tell.
        rate: probability with which its first batch asked about samples.
    """

    record: KafkaRecord
    batches: int
    tries: int = 0
    settled: bool = False
    reason: str = ""
    not_before_ms: int = 0
    rate: float = 1.0


def place(record: KafkaRecord) -> Place:
    """Where the record lies, which is what it is known by."""
    return record.topic, record.partition, record.offset


def latest(entries: Iterable[Pending]) -> dict[Place, Pending]:
    """The last entry of each record, by place, from all entries in any order."""
    last: dict[Place, Pending] = {}
    for entry in entries:
        known = last.get(place(entry.record))
        if known is None or (entry.batches, entry.settled) > (known.batches, known.settled):
            last[place(entry.record)] = entry
    return last


def waiting(entries: Iterable[Pending]) -> dict[Place, Pending]:
    """The records that wait, by place, from all entries in any order."""
    return {where: entry for where, entry in latest(entries).items() if not entry.settled}


def due(
    records: Mapping[Place, Pending],
    now_ms: int,
    limits: RequeueLimits,
    most: int,
    hurried: Collection[Place] = (),
) -> dict[Place, Pending]:
    """The waiting records whose time has come, at most `most`, those that waited longest first.

    One that is to wait for longer than any pause was written before the clock was set back, and is
    due.

    Args:
        records: those that wait.
        now_ms: epoch milliseconds.
        limits: see `RequeueLimits`.
        most: of one batch.
        hurried: records that need not wait any longer, since what they waited for is there.
    """
    longest_ms = max(limits.longest_pause_ms, limits.call_ms)
    ready = (
        (where, entry)
        for where, entry in sorted(records.items(), key=lambda item: item[1].not_before_ms)
        if where in hurried or not now_ms < entry.not_before_ms <= now_ms + longest_ms
    )
    return dict(islice(ready, most))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of the records of a batch.

    Attributes:
        entries: what the batch adds to the log, all in one commit.
        held: the records whose scores it must not write, since they go on waiting.
    """

    entries: tuple[Pending, ...]
    held: frozenset[Place]

    @classmethod
    def earlier(cls, entries: Iterable[Pending]) -> Verdict:
        """That of an earlier attempt at the batch, which committed these entries."""
        known = tuple(entries)
        return cls(known, frozenset(place(e.record) for e in known if not e.settled))


def verdict(
    failed: Mapping[Place, Failure],
    taken: Mapping[Place, Pending],
    now_ms: int,
    limits: RequeueLimits,
    rate: float = 1.0,
) -> Verdict:
    """Who waits, and who is done.

    There is no entry for a record from the log for which nothing was tried: it goes on waiting by
    the one that it has.

    Args:
        failed: the records of this batch that lack an answer which they may get later.
        taken: the records of this batch that came from the log.
        now_ms: epoch milliseconds.
        limits: see `RequeueLimits`.
        rate: probability with which the other records were asked about.
    """
    untried = {where for where, f in failed.items() if where in taken and not f.tried}
    entries = []
    for where in {**taken, **failed}.keys() - untried:
        known = taken.get(where)
        failure = failed.get(where)
        if failure is not None:
            waits = _waits(known or Pending(failure.record, 0, rate=rate), failure, now_ms, limits)
            if waits.tries < limits.max_tries:
                entries.append(waits)
                continue
        if known is not None:
            entries.append(_settled(known))
    earlier = Verdict.earlier(sorted(entries, key=lambda entry: place(entry.record)))
    return Verdict(earlier.entries, earlier.held | untried)


def _waits(known: Pending, failure: Failure, now_ms: int, limits: RequeueLimits) -> Pending:
    # Left behind for the first time, it has not failed: its answer is on the way.
    on_the_way = bool(failure.awaited) and not known.reason
    tries = known.tries + (failure.tried and not on_the_way)
    return replace(
        known,
        record=failure.record,
        batches=known.batches + 1,
        tries=tries,
        reason=failure.reason,
        not_before_ms=now_ms + limits.pause_ms(tries, failure),
    )


def _settled(known: Pending) -> Pending:
    record = replace(known.record, key=None, value=None)
    return Pending(record, known.batches + 1, known.tries, settled=True)


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
