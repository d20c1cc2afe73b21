"""What a worker is told of an endpoint: plain values that travel with every task."""

from __future__ import annotations

from dataclasses import dataclass

from streaming_eval.inference.calls.endpoint_stack import StackLimits

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class EndpointPlan:
    """One endpoint as a worker uses it; its key is only named here, never held.

    Attributes:
        api: a key of `MODEL_APIS`.
        limits: of one task; where it has a quota, whose shares move to where the work is, its
            calls in flight are not divided.
        request_timeout_s: of one attempt.
        headers: beside the API's own.
        query: appended to every address.
        key_header: carries the key in place of the API's own.
        metered: whether its requests need permits from the driver's quota.
        tokens_per_minute: of the quota; None where tokens are not limited.
        inputs_per_request: at most, for an API that takes several; the next two likewise.
        chars_per_request: of all inputs together.
        gather_s: how long an input waits for others.
    """

    name: str
    api: str
    base_url: str
    api_key_env: str | None
    api_key_file: str | None
    limits: StackLimits
    request_timeout_s: float
    key_header: str | None = None
    headers: Pairs = ()
    query: Pairs = ()
    metered: bool = False
    tokens_per_minute: int | None = None

    @property
    def connections(self) -> int:
        """That can be open at once: one for each call, and one for each call's hedge."""
        return self.limits.in_flight.share * (1 if self.limits.hedge is None else 2)

    inputs_per_request: int = 1
    chars_per_request: int = 1
    gather_s: float = 0.0
