"""From the settings of endpoints to what workers and the driver's quota are told of them."""

from __future__ import annotations

from collections.abc import Mapping

from streaming_eval.adapters.endpoint_plan import EndpointPlan
from streaming_eval.inference.quota.quotas import Quota
from streaming_eval.settings import EndpointSettings


def endpoint_plan(name: str, endpoint: EndpointSettings, partitions: int) -> EndpointPlan:
    """What each of so many parallel tasks is told of an endpoint."""
    share = max(1, endpoint.max_in_flight // partitions)
    return EndpointPlan(
        name=name,
        api=endpoint.api,
        base_url=endpoint.base_url,
        api_key_env=endpoint.api_key_env,
        api_key_file=None if endpoint.api_key_file is None else str(endpoint.api_key_file),
        key_header=endpoint.key_header,
        headers=tuple(endpoint.headers.items()),
        query=tuple(endpoint.query.items()),
        max_in_flight=endpoint.max_in_flight if endpoint.has_quota else share,
        request_timeout_s=endpoint.request_timeout / 1_000,
        deadline_s=endpoint.deadline / 1_000,
        max_attempts=endpoint.max_attempts,
        metered=endpoint.has_quota,
        tokens_per_minute=endpoint.tokens_per_minute,
        inputs_per_request=endpoint.inputs_per_request,
        chars_per_request=endpoint.chars_per_request,
        gather_s=endpoint.gather / 1_000,
    )


def endpoint_quotas(endpoints: Mapping[str, EndpointSettings]) -> dict[str, Quota]:
    """The quotas of those endpoints that have one, for all tasks together."""
    return {
        name: Quota(e.requests_per_minute, e.tokens_per_minute, e.max_in_flight)
        for name, e in endpoints.items()
        if e.has_quota
    }
