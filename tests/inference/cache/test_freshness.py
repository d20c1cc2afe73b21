"""When a stored answer still counts, and which of two does."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from streaming_eval.inference.cache.freshness import (
    Freshness,
    newest,
    newest_of_each_key,
    supersedes,
    tie_break,
)
from streaming_eval.inference.cache.paid_answer import PaidAnswer
from streaming_eval.records import Response
from tests.inference.calls.scripted import answer


def at(created_ms: int, text: str = "Because.") -> Response:
    return replace(answer(text), created_ms=created_ms)


def test_without_limits_an_answer_of_any_age_counts() -> None:
    assert Freshness().holds(0, 2**45)


@pytest.mark.parametrize(
    ("age_ms", "holds"), [(-5_000, True), (0, True), (999, True), (1_000, True), (1_001, False)]
)
def test_an_answer_counts_up_to_its_greatest_age(age_ms: int, holds: bool) -> None:
    assert Freshness(max_age_ms=1_000).holds(50_000, 50_000 + age_ms) is holds


@pytest.mark.parametrize(("created_ms", "holds"), [(4_999, False), (5_000, True), (5_001, True)])
def test_an_answer_counts_from_the_given_instant_on(created_ms: int, holds: bool) -> None:
    assert Freshness(since_ms=5_000).holds(created_ms, 9_000) is holds
    assert Freshness(max_age_ms=100_000, since_ms=5_000).holds(created_ms, 9_000) is holds


def test_a_new_answer_is_younger_than_what_it_replaces_whatever_the_clocks_say() -> None:
    slow_clock = at(1_000, "new")
    for freshness, replaced in (
        (Freshness(), at(5_000)),
        (Freshness(since_ms=5_001), None),
        (Freshness(since_ms=4_000), at(5_000)),
    ):
        dated = freshness.dated(slow_clock, replaced)
        assert dated == replace(slow_clock, created_ms=5_001)
    assert Freshness().dated(slow_clock, at(5_000)).created_ms > 5_000


def test_an_answer_whose_clock_is_right_keeps_its_instant() -> None:
    assert Freshness(since_ms=500).dated(at(1_000), at(400)) == at(1_000)
    assert Freshness().dated(at(1_000), None) == at(1_000)


def test_the_newer_answer_counts() -> None:
    assert supersedes(at(2), at(1))
    assert not supersedes(at(1), at(2))


def test_of_one_millisecond_one_answer_counts_for_everybody() -> None:
    first, second = at(1, "first"), at(1, "second")
    assert supersedes(first, second) is not supersedes(second, first)
    assert supersedes(first, second) is (tie_break("first") < tie_break("second"))
    assert not supersedes(first, first), "an answer never replaces itself"


def test_the_order_in_which_answers_are_met_does_not_matter() -> None:
    answers = [at(1, "a"), at(3, "b"), at(3, "c"), at(2, "d"), None]
    winners = {newest(*order) for order in permutations(answers)}
    assert len(winners) == 1
    assert winners.pop() in (at(3, "b"), at(3, "c"))
    assert newest(None, None) is None


def test_of_each_key_the_newest_answer_is_left() -> None:
    answers = [
        PaidAnswer("k", "", at(2)),
        PaidAnswer("l", "", at(1)),
        PaidAnswer("k", "", at(3)),
        PaidAnswer("k", "", at(1)),
    ]
    assert newest_of_each_key(answers) == {"k": answers[2], "l": answers[1]}
    assert list(newest_of_each_key(answers)) == ["k", "l"]
