"""How the share of the quota follows refusals and answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.inference.quota.adaptive_rate import FLOOR, WINDOW_S, AdaptiveRate


def note(rate: AdaptiveRate, answered: int, refused: int, epoch: int | None = None) -> None:
    rate.note(
        rate.epoch if epoch is None else epoch,
        started=answered + refused,
        answered=answered,
        refused=refused,
    )


def run(rate: AdaptiveRate, seconds: float, per_s: float = 10.0, refused: float = 0.0) -> None:
    """Time passes in tenths of seconds; of so many requests a second this share is refused."""
    due = refused_due = 0.0
    for _ in range(round(seconds * 10)):
        due += per_s / 10
        answers, due = int(due), due - int(due)
        refused_due += answers * refused
        refusals, refused_due = int(refused_due), refused_due - int(refused_due)
        note(rate, answers - refusals, refusals)
        rate.advance(0.1)


def test_answers_alone_leave_the_whole_quota() -> None:
    rate = AdaptiveRate()
    run(rate, 600)
    assert (rate.share, rate.epoch) == (1.0, 0)


def test_a_refusal_lowers_the_rate_at_once() -> None:
    rate = AdaptiveRate()
    note(rate, 99, 1, epoch=0)
    rate.advance(0.01)
    assert (rate.share, rate.epoch) == (0.9, 1)


@pytest.mark.parametrize(("answered", "refused", "share"), [(50, 50, 0.5), (75, 25, 0.75)])
def test_the_rate_falls_by_the_share_that_was_refused(
    answered: int, refused: int, share: float
) -> None:
    rate = AdaptiveRate()
    note(rate, answered, refused, epoch=0)
    rate.advance(0.01)
    assert rate.share == pytest.approx(share)


def test_many_refusals_at_a_time_lower_it_once() -> None:
    rate = AdaptiveRate()
    for _ in range(100):
        note(rate, 1, 1, epoch=0)
        rate.advance(0.001)
    assert rate.epoch == 1


def test_refusals_of_requests_admitted_before_the_cut_say_nothing_new() -> None:
    rate = AdaptiveRate()
    note(rate, 0, 1, epoch=0)
    rate.advance(0.01)
    share = rate.share
    note(rate, 0, 50, epoch=0)
    rate.advance(WINDOW_S)
    assert (rate.share, rate.epoch) == (share, 1)


def test_it_is_lowered_once_a_second_at_most() -> None:
    rate = AdaptiveRate()
    run(rate, 10, refused=0.3)
    assert 1 < rate.epoch <= 11


def test_it_recovers_by_itself_up_to_the_quota_and_no_further() -> None:
    rate = AdaptiveRate()
    run(rate, 60, refused=1.0)
    assert rate.share == FLOOR
    run(rate, 120)
    assert rate.share == 1.0


def test_without_answers_nothing_is_known_and_the_rate_stays() -> None:
    rate = AdaptiveRate()
    note(rate, 1, 1, epoch=0)
    rate.advance(0.01)
    share = rate.share
    run(rate, 3_600, per_s=0)
    assert rate.share == share


def test_near_the_rate_that_was_refused_it_climbs_slowly() -> None:
    rate = AdaptiveRate()
    note(rate, 50, 50, epoch=0)
    rate.advance(0.01)
    run(rate, 5)
    note(rate, 50, 1)
    refused_at = rate.share
    rate.advance(0.01)
    assert rate.share == pytest.approx(0.9 * refused_at)
    run(rate, 10)
    assert 0.9 * refused_at < rate.share < refused_at


def test_after_a_long_silence_it_does_not_jump_to_the_rate_that_was_refused() -> None:
    rate = AdaptiveRate()
    note(rate, 50, 50)
    rate.advance(0.01)
    note(rate, 1_000, 0)
    rate.advance(1_000)
    assert rate.share == pytest.approx(0.9)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.floats(0, 100))))
def test_it_never_leaves_its_range(news: list[tuple[int, int, float]]) -> None:
    rate = AdaptiveRate()
    for answered, refused, seconds in news:
        note(rate, answered, refused)
        rate.advance(seconds)
        assert FLOOR <= rate.share <= 1.0
