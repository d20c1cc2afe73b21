"""What is known of endpoints as Prometheus sees it."""

from __future__ import annotations

import threading

import pytest
from prometheus_client import CollectorRegistry

from streaming_eval.adapters.duration_bounds import DURATION_BOUNDS, duration_bound
from streaming_eval.adapters.endpoint_metrics import EndpointMetrics
from streaming_eval.inference.calls.breaker import CircuitState
from streaming_eval.inference.quota.quotas import Quota, Quotas
from tests.exporter_data import call


@pytest.fixture
def endpoints() -> EndpointMetrics:
    return EndpointMetrics()


def value(collector: EndpointMetrics, name: str, **labels: str) -> float | None:
    registry = CollectorRegistry()
    registry.register(collector)
    return registry.get_sample_value(f"streaming_eval_{name}", labels)


@pytest.mark.parametrize(
    ("reported", "shown"),
    [
        ({CircuitState.CLOSED}, "closed"),
        ({CircuitState.CLOSED, CircuitState.HALF_OPEN}, "half_open"),
        (set(CircuitState), "open"),
    ],
)
def test_a_circuit_is_as_bad_as_its_worst_worker_says(
    endpoints: EndpointMetrics, reported: set[CircuitState], shown: str
) -> None:
    endpoints.observe_circuits({"api": reported, "other": {CircuitState.CLOSED}})
    states = {s: value(endpoints, "circuit_state", endpoint="api", state=s) for s in CircuitState}
    assert states == {state: float(state == shown) for state in CircuitState}
    assert value(endpoints, "circuit_state", endpoint="other", state="closed") == 1


def test_durations_add_up_below_each_bound(endpoints: EndpointMetrics) -> None:
    for seconds in (0.05, 0.06, 0.3, 400.0):
        endpoints.count_durations("api", duration_bound(seconds), 2)
        endpoints.count_duration_us("api", round(2e6 * seconds))
    name = "request_duration_seconds"
    counts = [value(endpoints, f"{name}_bucket", endpoint="api", le=le) for le in DURATION_BOUNDS]
    assert counts == [2, 4, 4, 6, 6, 6, 6, 6, 6, 6, 8]
    assert value(endpoints, f"{name}_count", endpoint="api") == 8
    assert value(endpoints, f"{name}_sum", endpoint="api") == pytest.approx(800.82)


def test_what_the_cache_saved_is_shown_in_tokens_and_seconds(endpoints: EndpointMetrics) -> None:
    endpoints.count_saved_tokens("api", "input", 1_000)
    endpoints.count_saved_tokens("api", "input", 5)
    endpoints.count_saved_ms("api", 1_250)
    assert value(endpoints, "cache_saved_tokens_total", endpoint="api", direction="input") == 1_005
    assert value(endpoints, "cache_saved_seconds_total", endpoint="api") == 1.25


def test_a_quota_is_shown_as_it_stands_when_asked(endpoints: EndpointMetrics) -> None:
    quotas = Quotas({"api": Quota(600, None, 8), "tokens": Quota(None, 90_000, 8)}, lambda: 0.0)
    assert value(endpoints, "quota_requests_per_minute", endpoint="api") is None
    endpoints.read_quotas(quotas.status)
    assert value(endpoints, "quota_requests_per_minute", endpoint="api") == 600
    assert value(endpoints, "quota_limit_requests_per_minute", endpoint="api") == 600
    assert value(endpoints, "quota_ratio", endpoint="api") == 1
    assert value(endpoints, "quota_requests_per_minute", endpoint="tokens") is None
    assert value(endpoints, "quota_ratio", endpoint="tokens") == 1


def test_a_lowered_quota_is_shown_beside_what_is_configured(endpoints: EndpointMetrics) -> None:
    call(endpoints)
    assert value(endpoints, "quota_requests_per_minute", endpoint="recorded") == 300
    assert value(endpoints, "quota_limit_requests_per_minute", endpoint="recorded") == 600
    assert value(endpoints, "quota_ratio", endpoint="recorded") == 0.5


def test_an_endpoint_that_is_gone_disappears(endpoints: EndpointMetrics) -> None:
    endpoints.observe_in_flight({"api": 600})
    endpoints.observe_in_flight({"other": 60})
    assert value(endpoints, "requests_in_flight", endpoint="api") is None
    assert value(endpoints, "requests_in_flight", endpoint="other") == 60


def test_threads_lose_no_count(endpoints: EndpointMetrics) -> None:
    def count() -> None:
        for _ in range(2_000):
            endpoints.count_hedges("api", "won", 1)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert value(endpoints, "hedges_total", endpoint="api", outcome="won") == 8_000
