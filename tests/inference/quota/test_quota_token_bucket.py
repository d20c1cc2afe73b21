"""The bound on what starts, whenever permits are used, returned or lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.inference.quota.token_bucket import TokenBucket
from tests.inference.quota.quota_workers import worst_excess

ACTIONS = st.sampled_from(["give out", "start", "report", "return", "lose"])


@given(
    steps=st.lists(st.tuples(st.floats(0, 3), ACTIONS), max_size=200),
    per_s=st.sampled_from([0.1, 1.0, 10.0]),
    extra=st.sampled_from([0.0, 1.0, 5.0]),
)
def test_no_window_sees_more_starts_than_its_rate_and_the_burst(
    steps: list[tuple[float, str]], per_s: float, extra: float
) -> None:
    bucket = TokenBucket(1 + extra)
    now_s, unused, unreported = 0.0, 0, 0
    starts: list[float] = []
    for pause_s, action in steps:
        now_s += pause_s
        bucket.fill(pause_s * per_s)
        if action == "give out" and bucket.open:
            bucket.hold(1)
            unused += 1
        elif action == "start" and unused:
            starts.append(now_s)
            unused, unreported = unused - 1, unreported + 1
        elif action == "report" and unreported:
            bucket.spend(1)
            unreported -= 1
        elif action == "return" and unused:
            bucket.put_back(1)
            unused -= 1
        elif action == "lose" and unused:
            bucket.spend(1)
            unused -= 1
    assert worst_excess(starts, per_s) <= 1 + extra + 1e-6


def test_a_bucket_that_is_used_all_the_time_gives_its_whole_rate() -> None:
    bucket, given_out = TokenBucket(2.0), 0
    for _ in range(10_000):
        bucket.fill(0.01)
        while bucket.open:
            bucket.hold(1)
            bucket.spend(1)
            given_out += 1
    assert given_out == pytest.approx(101, abs=1)


def test_what_is_returned_can_be_given_out_again_but_adds_nothing() -> None:
    bucket = TokenBucket(3.0, level=3.0)
    for _ in range(3):
        bucket.hold(1)
    bucket.fill(100)
    assert not bucket.open, "unused permits leave no room to fill"
    for _ in range(3):
        bucket.put_back(1)
    for _ in range(3):
        assert bucket.open
        bucket.hold(1)
        bucket.spend(1)
    assert not bucket.open
    bucket.fill(100)
    bucket.hold(3)
    assert not bucket.open, "full again, and no more than that"


def test_one_costly_request_is_served_and_the_debt_is_paid_before_the_next() -> None:
    bucket = TokenBucket(10.0, level=10.0)
    bucket.hold(50)
    bucket.spend(50)
    bucket.fill(40)
    assert not bucket.open
    bucket.fill(1)
    assert bucket.open


def test_a_correction_gives_back_what_was_reserved_too_much() -> None:
    bucket = TokenBucket(10.0, level=1.0)
    bucket.hold(50)
    bucket.spend(50)
    bucket.correct(-45)
    assert not bucket.open, "1 - 50 + 45"
    bucket.fill(5)
    assert bucket.open


def test_drained_it_is_closed_until_time_passes() -> None:
    bucket = TokenBucket(10.0, level=10.0)
    bucket.drain()
    assert not bucket.open
    bucket.fill(1)
    assert bucket.open
