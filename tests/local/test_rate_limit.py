import pytest

from streaming_eval.local.rate_limit import RateLimit


def test_a_full_bucket_lets_a_burst_through_and_then_says_how_long() -> None:
    limit = RateLimit(per_minute=60, burst=3, now_s=0.0)
    assert [limit.take(0.0) for _ in range(5)] == [0.0, 0.0, 0.0, 1.0, 1.0]


def test_waiting_as_long_as_told_is_enough() -> None:
    limit = RateLimit(per_minute=120, burst=1, now_s=10.0)
    assert limit.take(10.0) == 0.0
    wait_s = limit.take(10.2)
    assert wait_s == pytest.approx(0.3)
    assert limit.take(10.2 + wait_s) == 0.0


def test_in_the_long_run_the_rate_is_kept() -> None:
    limit = RateLimit(per_minute=600, burst=0, now_s=0.0)
    passed = sum(limit.take(n / 100) == 0.0 for n in range(6_000))
    assert passed == pytest.approx(600 + limit.size, abs=1)


def test_a_pause_fills_the_bucket_no_further_than_its_size() -> None:
    limit = RateLimit(per_minute=60, burst=2, now_s=0.0)
    limit.take(1_000.0)
    assert (limit.remaining, limit.full_in_s) == (1, 1.0)


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    limit = RateLimit(per_minute=60, burst=1, now_s=10.0)
    limit.take(10.0)
    assert limit.take(5.0) == 1.0
    assert limit.take(10.5) == 0.5
