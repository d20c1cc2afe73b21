import pytest

from streaming_eval.local.schedule import OpenLoop


@pytest.mark.parametrize("rate", [0.3, 1.0, 7.0, 200.0, 3_333.0])
def test_each_event_is_due_at_its_time_and_not_before(rate: float) -> None:
    schedule = OpenLoop(rate, 1e6)
    for event in range(0, 5_000, 37):
        assert schedule.due(schedule.time_of(event)) == event + 1
        assert schedule.due(schedule.time_of(event) - 0.01 / rate) == event


def test_a_stall_delays_events_but_loses_none() -> None:
    schedule, sent = OpenLoop(100, 0.0), 0
    for now in (0.0, 0.1, 5.0, 5.01):
        sent += schedule.due(now) - sent
    assert sent == 502


def test_nothing_drifts_over_a_day() -> None:
    schedule = OpenLoop(137.0, 0.0)
    assert schedule.due(86_400.0) == 86_400 * 137 + 1


def test_nothing_is_due_before_the_start() -> None:
    assert OpenLoop(100, 50.0).due(49.0) == 0
