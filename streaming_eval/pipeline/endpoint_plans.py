"""From the settings of endpoints to what workers and the driver's quota are told of them."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, inf

from streaming_eval.adapters.endpoint_plan import EndpointPlan
from streaming_eval.inference.calls.adaptive_limit import InFlightLimits
from streaming_eval.inference.calls.breaker import BreakerLimits
from streaming_eval.inference.calls.endpoint_stack import StackLimits
from streaming_eval.inference.calls.hedge import HedgeLimits
from streaming_eval.inference.quota.quotas import Quota
from streaming_eval.settings import EndpointSettings, HedgingSettings

_LEAST_OUTCOMES = 5
_MOST_OUTCOMES = 200
_PROBE_GAP_S = 1.0


def endpoint_plan(name: str, endpoint: EndpointSettings, partitions: int) -> EndpointPlan:
    """What each of so many parallel tasks is told of an endpoint."""
    return EndpointPlan(
        name=name,
        api=endpoint.api,
        base_url=endpoint.base_url,
        api_key_env=endpoint.api_key_env,
        api_key_file=None if endpoint.api_key_file is None else str(endpoint.api_key_file),
        key_header=endpoint.key_header,
        headers=tuple(endpoint.headers.items()),
        query=tuple(endpoint.query.items()),
        limits=StackLimits(
            max_attempts=endpoint.max_attempts,
            deadline_s=endpoint.deadline / 1_000,
            in_flight=_in_flight(endpoint, partitions),
            breaker=_breaker(endpoint, partitions),
            hedge=_hedge(endpoint.hedging),
        ),
        request_timeout_s=endpoint.request_timeout / 1_000,
        metered=endpoint.has_quota,
        tokens_per_minute=endpoint.tokens_per_minute,
        inputs_per_request=endpoint.inputs_per_request,
        chars_per_request=endpoint.chars_per_request,
        gather_s=endpoint.gather / 1_000,
    )


def endpoint_quotas(endpoints: Mapping[str, EndpointSettings]) -> dict[str, Quota]:
    """The quotas of those endpoints that have one, for all tasks together."""
    return {
        name: Quota(e.requests_per_minute, e.tokens_per_minute, e.most_open)
        for name, e in endpoints.items()
        if e.has_quota
    }


def _in_flight(endpoint: EndpointSettings, partitions: int) -> InFlightLimits:
    """A task's part; the whole of a metered endpoint, since its quota moves places to the work."""
    tasks = 1 if endpoint.has_quota else partitions
    most = max(1, endpoint.max_in_flight // tasks)
    share = max(most, endpoint.most_open // tasks)
    if endpoint.min_in_flight is None:
        return InFlightLimits(least=most, most=most, share=share, tolerance=inf)
    least = max(1, endpoint.min_in_flight // partitions)
    return InFlightLimits(least=least, most=most, share=share, tolerance=endpoint.latency_tolerance)


def _breaker(endpoint: EndpointSettings, partitions: int) -> BreakerLimits:
    """Each task has a circuit of its own; what they send and need to see together is divided."""
    breaker = endpoint.circuit_breaker
    least = min(_LEAST_OUTCOMES, breaker.min_attempts)
    first_pause_s = _PROBE_GAP_S * partitions
    max_wait = endpoint.deadline if breaker.max_wait is None else breaker.max_wait
    return BreakerLimits(
        failure_ratio=breaker.failure_ratio,
        least_outcomes=max(least, ceil(breaker.min_attempts / partitions)),
        most_outcomes=_MOST_OUTCOMES,
        window_s=breaker.window / 1_000,
        first_pause_s=first_pause_s,
        longest_pause_s=max(first_pause_s, breaker.longest_pause / 1_000),
        patience_s=max_wait / 1_000,
    )


def _hedge(hedging: HedgingSettings) -> HedgeLimits | None:
    if not hedging.enabled:
        return None
    return HedgeLimits(after_quantile=hedging.after_quantile, max_extra=hedging.max_extra)
