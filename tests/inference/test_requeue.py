"""Which failures wait for a later batch, for how long and how often."""

from __future__ import annotations

import pytest

from streaming_eval.inference.passing_failures import worth_another_batch
from streaming_eval.inference.requeue import (
    Failure,
    Pending,
    RequeueLimits,
    Verdict,
    due,
    place,
    taken_before,
    verdict,
    waiting,
)
from streaming_eval.records import KafkaRecord

LIMITS = RequeueLimits(max_tries=4, first_pause_ms=1_000, longest_pause_ms=3_000)
NOW_MS = 1_700_000_000_000


def record(offset: int) -> KafkaRecord:
    return KafkaRecord("samples", 0, offset, 1, b"k", b"{}")


def again(entry: Pending, reason: str = "dns") -> Pending:
    """The entry after the sample was tried once more, in vain."""
    where = place(entry.record)
    failed = {where: Failure(entry.record, reason)}
    (later,) = verdict(failed, {where: entry}, NOW_MS, LIMITS).entries
    return later


def first_failure(
    reason: str, limits: RequeueLimits = LIMITS, awaited: tuple[str, ...] = ()
) -> Pending:
    """The entry of a sample that was tried for the first time, in vain."""
    failed = {place(record(7)): Failure(record(7), reason, awaited)}
    (entry,) = verdict(failed, {}, NOW_MS, limits, rate=0.5).entries
    return entry


@pytest.mark.parametrize(
    "error",
    [
        "deadline",
        "batch_deadline",
        "not_begun",
        "judge_not_begun",
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


def test_a_sample_waits_longer_each_time_and_is_settled_after_its_last_try() -> None:
    entries = [first_failure("timeout")]
    assert entries == [
        Pending(record(7), 1, 1, False, "timeout", NOW_MS + 1_000, rate=0.5),
    ]
    pauses = []
    while not entries[-1].settled:
        pauses.append(entries[-1].not_before_ms - NOW_MS)
        assert entries[-1].rate == 0.5, "it stands for as many samples as ever"
        entries.append(again(entries[-1]))
    assert pauses == [1_000, 2_000, 3_000]
    assert entries[-1].batches == LIMITS.max_tries
    assert entries[-1].record == KafkaRecord("samples", 0, 7, 1, None, None)


def test_a_sample_that_succeeds_is_settled_and_one_that_never_waited_leaves_no_entry() -> None:
    first = Pending(record(1), 2, 1, False, "dns", NOW_MS)
    entries = verdict({}, {place(first.record): first}, NOW_MS, LIMITS).entries
    assert [(entry.settled, entry.batches, entry.reason) for entry in entries] == [(True, 3, "")]
    assert verdict({}, {}, NOW_MS, LIMITS).entries == ()


def test_where_one_try_is_all_there_is_nothing_waits() -> None:
    once = RequeueLimits(max_tries=1, first_pause_ms=1, longest_pause_ms=1)
    failed = {place(record(1)): Failure(record(1), "dns")}
    assert verdict(failed, {}, NOW_MS, once) == Verdict((), frozenset())


@pytest.mark.parametrize("reason", ["not_begun", "judge_not_begun"])
def test_a_sample_nobody_was_asked_about_has_lost_no_try_and_no_time(reason: str) -> None:
    entry = first_failure(reason, RequeueLimits(1, 1_000, 3_000))
    assert (entry.tries, entry.not_before_ms) == (0, NOW_MS)


def test_a_sample_that_is_left_behind_loses_a_try_only_when_no_answer_comes() -> None:
    once = RequeueLimits(1, 1_000, 3_000, call_ms=60_000)
    entry = first_failure("batch_deadline", once, ("a key",))
    assert entry.tries == 0
    failed = {place(record(7)): Failure(record(7), "batch_deadline", ("a key",))}
    (settled,) = verdict(failed, {place(record(7)): entry}, NOW_MS, once).entries
    assert settled.settled


def test_a_sample_nobody_was_asked_about_goes_on_waiting_by_the_entry_it_has() -> None:
    entry = first_failure("not_begun")
    where = place(entry.record)
    waits = verdict({where: Failure(record(7), "not_begun")}, {where: entry}, NOW_MS, LIMITS)
    assert waits == Verdict((), frozenset({where}))


@pytest.mark.parametrize("reason", ["batch_deadline", "judge_batch_deadline", "http_500"])
def test_a_call_under_way_has_the_time_it_may_take(reason: str) -> None:
    limits = RequeueLimits(4, 1_000, 3_000, call_ms=60_000)
    entry = first_failure(reason, limits, ("a key",))
    assert entry.not_before_ms == NOW_MS + 60_000
    records = {place(entry.record): entry}
    assert due(records, NOW_MS, limits, 9) == {}
    assert due(records, NOW_MS, limits, 9, hurried={place(entry.record)}) == records


def test_the_last_entry_counts_in_whatever_order_they_are_read() -> None:
    log = [Pending(record(1), 1)]
    log += [again(log[0]), Pending(record(2), 1), Pending(record(2), 2, settled=True)]
    for entries in (log, log[::-1]):
        assert {where[2]: entry.batches for where, entry in waiting(entries).items()} == {1: 2}


def test_those_due_longest_come_first_and_no_more_than_asked_for() -> None:
    records = {
        place(record(n)): Pending(record(n), 1, 1, False, "dns", NOW_MS + ms)
        for n, ms in enumerate((-5, -9, 0, 1, 3_000))
    }
    assert [where[2] for where in due(records, NOW_MS, LIMITS, 99)] == [1, 0, 2]
    assert [where[2] for where in due(records, NOW_MS, LIMITS, 2)] == [1, 0]


def test_a_clock_that_was_set_back_keeps_nobody_waiting_for_years() -> None:
    entry = Pending(record(1), 1, 1, False, "dns", NOW_MS)
    records = {place(entry.record): entry}
    assert due(records, NOW_MS - 3_000, LIMITS, 9) == {}
    assert due(records, NOW_MS - 3_001, LIMITS, 9) == records


def test_an_earlier_attempt_at_a_batch_tells_what_it_took_and_what_it_held_back() -> None:
    before = {place(record(n)): Pending(record(n), 1, 1, False, "dns", NOW_MS) for n in (1, 2, 3)}
    taken = {where: before[where] for where in (place(record(1)), place(record(2)))}
    failed = {place(record(n)): Failure(record(n), "timeout") for n in (2, 8)}
    now = verdict(failed, taken, NOW_MS, LIMITS)
    assert taken_before(now.entries, before) == taken
    assert now.held == {place(record(2)), place(record(8))}
    assert Verdict.earlier(now.entries) == now
