"""What a worker holds, and what it tells of it."""

from __future__ import annotations

from streaming_eval.inference.quota.messages import Ask, Grant, LeaseUse
from streaming_eval.inference.quota.permit_pool import Permit, PermitPool
from streaming_eval.inference.quota.provider_news import ProviderNews


def grant(lease: int, *tokens: int, epoch: int = 0) -> Grant:
    return Grant(lease, {"m": tokens} if tokens else {}, True, None, 2.0, 0.1, 0.0, epoch)


def pool(*grants: Grant, asked_at: float = 0.0) -> PermitPool:
    filled = PermitPool()
    for each in grants:
        filled.add(each, asked_at)
    return filled


def test_permits_are_used_in_the_order_they_came() -> None:
    held = pool(grant(1, 10, 20), grant(2, 30, epoch=1))
    permits = [held.take("m", 0, 0.0) for _ in range(4)]
    assert permits == [Permit(0, 10, 0), Permit(0, 20, 0), Permit(1, 30, 0), None]


def test_permits_of_another_model_are_not_touched() -> None:
    held = pool(grant(1, 10))
    assert held.take("another", 0, 0.0) is None
    assert (held.count("m"), held.count("another"), len(held)) == (1, 0, 1)


def test_a_permit_runs_out_counted_from_the_ask() -> None:
    held = pool(grant(1, 10), asked_at=5.0)
    assert held.take("m", 0, 7.0) is None
    assert held.take("m", 0, 6.99) is not None
    held = pool(grant(1, 10), asked_at=5.0)
    held.expire(7.0)
    assert (len(held), held.uses()) == (0, ())


def test_a_request_may_be_somewhat_larger_than_its_permit_but_not_much() -> None:
    held = pool(grant(1, 10, 100))
    assert held.take("m", 21, 0.0) == Permit(0, 100, 21)
    assert held.take("m", 21, 0.0) is None
    assert held.take("m", 20, 0.0) == Permit(0, 10, 20)


def test_each_lease_is_told_of_until_the_driver_knows_all_of_it() -> None:
    held = pool(grant(7, 10, 20))
    assert held.uses() == ()
    held.take("m", 10, 0.0)
    told = held.uses()
    assert told == (LeaseUse(7, used=1, used_tokens=10),)
    assert held.uses() == told, "until it has been heard"
    held.told(told)
    assert held.uses() == ()
    held.give_back({})
    assert held.uses() == (LeaseUse(7, 1, 10, 1, 20),)
    held.told(held.uses())
    assert held.uses() == ()


def test_what_changes_while_a_report_is_under_way_is_told_next_time() -> None:
    held = pool(grant(7, 10, 20))
    held.take("m", 10, 0.0)
    told = held.uses()
    held.take("m", 10, 0.0)
    held.told(told)
    assert held.uses() == (LeaseUse(7, 2, 30),)


def test_the_newest_go_back_first() -> None:
    held = pool(grant(1, 10, 20))
    held.add(grant(2, 30), asked_at=1.0)
    held.give_back({"m": 2})
    assert held.uses() == (LeaseUse(2, returned=1, returned_tokens=30),)
    assert held.take("m", 0, 0.0) == Permit(0, 10, 0)


def told(news: ProviderNews, now_s: float = 0.0) -> Ask:
    return news.fill_in(Ask("w", "e", 1), now_s)


def test_only_requests_of_the_newest_epoch_are_counted() -> None:
    news, old, new = ProviderNews(), Permit(0, 0, 0), Permit(1, 0, 0)
    for _ in range(3):
        news.started(old)
        news.answered(old, None)
    assert (told(news).started, told(news).answered) == (3, 3)
    news.enter(1)
    news.started(new)
    for permit in (old, new):
        news.answered(permit, None)
        news.refused(permit, 0.0, 0.0)
    ask = told(news)
    assert (ask.epoch, ask.started, ask.answered, ask.refused) == (1, 1, 1, 1)


def test_tokens_beyond_what_was_granted_add_up() -> None:
    news, permit = ProviderNews(), Permit(0, granted=100, asked=120)
    news.answered(permit, 150)
    assert told(news).extra_tokens == 50
    news.answered(permit, None)
    assert told(news).extra_tokens == 70, "as far as is known it took what it asked for"
    news.failed(permit)
    assert told(news).extra_tokens == 90
    news.refused(permit, 0.0, 0.0)
    assert told(news).extra_tokens == -10, "what was refused has taken nothing"


def test_the_longest_wish_for_a_pause_stands_within_bounds() -> None:
    news, permit = ProviderNews(), Permit(0, 0, 0)
    news.refused(permit, 7.0, now_s=100.0)
    news.refused(permit, 2.0, now_s=100.0)
    assert (news.paused_until, told(news, 103.0).pause_s) == (107.0, 4.0)
    news.refused(permit, 1e9, now_s=103.0)
    assert news.paused_until == 163.0
    assert told(news, 200.0).pause_s == 0.0
