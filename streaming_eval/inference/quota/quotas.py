"""One quota for all workers: the driver's side of all endpoints.

Every limit is kept by one owner, which leases short shares of it to whoever has work. What the
workers are told by the provider (429, `Retry-After`, remaining counts) comes back with their next
ask and slows all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from streaming_eval.inference.quota.endpoint_quota import EndpointQuota, QuotaStatus
from streaming_eval.inference.quota.messages import Ask, Grant
from streaming_eval.inference.quota.supply import Quota

__all__ = ["Quota", "QuotaStatus", "Quotas"]


class Quotas:
    """Endpoint name to its quota; for one thread at a time.

    Args:
        quotas: as configured.
        clock: monotonic seconds.
    """

    def __init__(self, quotas: Mapping[str, Quota], clock: Callable[[], float]) -> None:
        self._clock = clock
        self._endpoints = {name: EndpointQuota(quota, clock()) for name, quota in quotas.items()}

    def __contains__(self, endpoint: str) -> bool:
        return endpoint in self._endpoints

    def exchange(self, ask: Ask) -> Grant:
        """Takes note of what a worker says and grants it what is its due.

        Raises:
            KeyError: no such endpoint.
        """
        return self._endpoints[ask.endpoint].exchange(ask, self._clock())

    def status(self) -> dict[str, QuotaStatus]:
        """What is going on at each endpoint."""
        return {name: endpoint.status() for name, endpoint in self._endpoints.items()}
