"""What each task and the driver are told of an endpoint."""

from __future__ import annotations

import pickle
from math import inf

import pytest

from streaming_eval.adapters.endpoint_plan import EndpointPlan
from streaming_eval.inference.calls.adaptive_limit import InFlightLimits
from streaming_eval.inference.calls.hedge import HedgeLimits
from streaming_eval.inference.quota.quotas import Quota
from streaming_eval.pipeline.endpoint_plans import endpoint_plan, endpoint_quotas
from streaming_eval.settings import EndpointSettings


def endpoint(**values: object) -> EndpointSettings:
    return EndpointSettings.model_validate({"base_url": "http://localhost/v1", **values})


def plan(partitions: int, **values: object) -> EndpointPlan:
    return endpoint_plan("models", endpoint(**values), partitions)


def test_tasks_share_the_calls_in_flight_and_the_room_for_stuck_ones() -> None:
    assert plan(4, max_in_flight=64, max_open=100).limits.in_flight == InFlightLimits(
        least=16, most=16, share=25, tolerance=inf
    )


def test_an_adaptive_limit_is_shared_from_its_least_to_its_most() -> None:
    limits = plan(4, min_in_flight=8, max_in_flight=64, latency_tolerance=3.0).limits.in_flight
    assert limits == InFlightLimits(least=2, most=16, share=48, tolerance=3.0)


def test_every_task_may_make_a_call_however_many_tasks_there_are() -> None:
    limits = plan(100, min_in_flight=1, max_in_flight=3, max_open=3).limits.in_flight
    assert (limits.least, limits.most, limits.share) == (1, 1, 1)


def test_the_places_of_a_metered_endpoint_follow_the_work() -> None:
    strict = {"max_in_flight": 64, "requests_per_minute": 600}
    assert plan(4, **strict).limits.in_flight == InFlightLimits.fixed(64)
    assert endpoint_quotas({"a": endpoint(**strict), "b": endpoint()}) == {
        "a": Quota(600, None, 64)
    }
    roomy = {**strict, "max_open": 80}
    assert plan(4, **roomy).limits.in_flight == InFlightLimits(64, 64, 80, inf)
    assert endpoint_quotas({"a": endpoint(**roomy)}) == {"a": Quota(600, None, 80)}


@pytest.mark.parametrize("tasks", [1, 2, 4, 60])
def test_all_tasks_together_probe_once_a_second_at_most(tasks: int) -> None:
    breaker = plan(tasks).limits.breaker
    assert tasks / breaker.first_pause_s <= 1
    assert tasks / breaker.longest_pause_s <= 1
    assert breaker.longest_pause_s == max(30, tasks)


@pytest.mark.parametrize(
    ("tasks", "min_attempts", "least"), [(1, 20, 20), (2, 20, 10), (16, 20, 5), (16, 3, 3)]
)
def test_tasks_see_their_part_of_the_failures_but_not_too_few_to_judge(
    tasks: int, min_attempts: int, least: int
) -> None:
    limits = plan(tasks, circuit_breaker={"min_attempts": min_attempts}).limits
    assert limits.breaker.least_outcomes == least


def test_the_breaker_is_as_configured_and_waits_as_long_as_a_call_may_take() -> None:
    given = {"failure_ratio": 0.3, "window": "1m", "longest_pause": "8s"}
    breaker = plan(2, circuit_breaker=given, deadline="90s").limits.breaker
    assert (breaker.failure_ratio, breaker.window_s, breaker.longest_pause_s) == (0.3, 60, 8)
    assert breaker.patience_s == 90
    assert plan(2, circuit_breaker={"max_wait": "5s"}).limits.breaker.patience_s == 5


def test_hedging_is_a_choice_and_gets_connections_of_its_own() -> None:
    plain = plan(1, max_in_flight=10, max_open=20)
    assert (plain.limits.hedge, plain.connections) == (None, 20)
    hedged = plan(1, max_in_flight=10, max_open=20, hedging={"enabled": True, "max_extra": 0.1})
    assert hedged.limits.hedge == HedgeLimits(after_quantile=0.98, max_extra=0.1)
    assert hedged.connections == 40


def test_a_plan_travels_and_equal_ones_are_one_key() -> None:
    one, other = plan(2, hedging={"enabled": True}), plan(2, hedging={"enabled": True})
    assert {pickle.loads(pickle.dumps(one)): 1} == {other: 1}
