"""Which failures wait for a later batch, for how long and how often."""

from __future__ import annotations

import pytest

from streaming_eval.inference.requeue import (
    Pending,
    RequeueLimits,
    due,
    held,
    place,
    taken_before,
    verdicts,
    waiting,
    worth_another_batch,
)
from streaming_eval.records import KafkaRecord

LIMITS = RequeueLimits(max_batches=4, first_pause_ms=1_000, longest_pause_ms=3_000)
NOW_MS = 1_700_000_000_000


def record(offset: int) -> KafkaRecord:
    return KafkaRecord("samples", 0, offset, 1, b"k", b"{}")


def again(entry: Pending) -> Pending:
    """The entry after the sample was tried once more, in vain."""
    where = place(entry.record)
    (later,) = verdicts({where: (entry.record, "dns")}, {where: entry}, NOW_MS, LIMITS)
    return later


@pytest.mark.parametrize(
    "error",
    [
        "deadline",
        "batch_deadline",
        "circuit_open",
        "quota_unreachable",
        "connection",
        "dns",
        "timeout",
        "http_408",
        "http_429",
        "http_500",
        "http_503",
        "http_529",
        "judge_timeout",
        "judge_http_502",
    ],
)
def test_failures_that_are_nobodys_fault_are_worth_another_batch(error: str) -> None:
    assert worth_another_batch(error)


@pytest.mark.parametrize(
    "error", [None, "", "http_400", "http_401", "http_404", "content_filter", "judge_bad_json"]
)
def test_answers_and_failures_that_would_come_again_are_not(error: str | None) -> None:
    assert not worth_another_batch(error)


def test_a_sample_waits_longer_each_time_and_is_settled_in_its_last_batch() -> None:
    entry = Pending(record(7), 1)
    entries = verdicts({place(entry.record): (entry.record, "timeout")}, {}, NOW_MS, LIMITS)
    assert entries == [Pending(record(7), 1, False, "timeout", NOW_MS + 1_000)]
    pauses = []
    while not entries[-1].settled:
        pauses.append(entries[-1].not_before_ms - NOW_MS)
        entries.append(again(entries[-1]))
    assert pauses == [1_000, 2_000, 3_000]
    assert entries[-1].batches == LIMITS.max_batches
    assert entries[-1].record == KafkaRecord("samples", 0, 7, 1, None, None)


def test_a_sample_that_succeeds_is_settled_and_one_that_never_waited_leaves_no_entry() -> None:
    first = Pending(record(1), 2, False, "dns", NOW_MS)
    entries = verdicts({}, {place(first.record): first}, NOW_MS, LIMITS)
    assert [(entry.settled, entry.batches, entry.reason) for entry in entries] == [(True, 3, "")]
    assert verdicts({}, {}, NOW_MS, LIMITS) == []


def test_where_one_batch_is_all_there_is_nothing_waits() -> None:
    once = RequeueLimits(max_batches=1, first_pause_ms=1, longest_pause_ms=1)
    assert verdicts({place(record(1)): (record(1), "dns")}, {}, NOW_MS, once) == []


def test_the_last_entry_counts_in_whatever_order_they_are_read() -> None:
    log = [Pending(record(1), 1)]
    log += [again(log[0]), Pending(record(2), 1), Pending(record(2), 2, settled=True)]
    for entries in (log, log[::-1]):
        assert {where[2]: entry.batches for where, entry in waiting(entries).items()} == {1: 2}


def test_those_due_longest_come_first_and_no_more_than_asked_for() -> None:
    records = {
        place(record(n)): Pending(record(n), 1, False, "dns", NOW_MS + ms)
        for n, ms in enumerate((-5, -9, 0, 1, 3_000))
    }
    assert [where[2] for where in due(records, NOW_MS, LIMITS, 99)] == [1, 0, 2]
    assert [where[2] for where in due(records, NOW_MS, LIMITS, 2)] == [1, 0]


def test_a_clock_that_was_set_back_keeps_nobody_waiting_for_years() -> None:
    entry = Pending(record(1), 1, False, "dns", NOW_MS)
    records = {place(entry.record): entry}
    assert due(records, NOW_MS - 3_000, LIMITS, 9) == {}
    assert due(records, NOW_MS - 3_001, LIMITS, 9) == records


def test_an_earlier_attempt_at_a_batch_tells_what_it_took_and_what_it_held_back() -> None:
    before = {place(record(n)): Pending(record(n), 1, False, "dns", NOW_MS) for n in (1, 2, 3)}
    taken = {where: before[where] for where in (place(record(1)), place(record(2)))}
    failed = {place(record(n)): (record(n), "timeout") for n in (2, 8)}
    entries = verdicts(failed, taken, NOW_MS, LIMITS)
    assert taken_before(entries, before) == taken
    assert held(entries) == {place(record(2)), place(record(8))}
