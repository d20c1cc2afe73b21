"""The driver's quota, served to the workers for as long as a run lasts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from streaming_eval.adapters.endpoint_metrics import EndpointMetrics
from streaming_eval.adapters.quota_server import QuotaServer
from streaming_eval.adapters.quota_wire import QuotaAddress, new_secret
from streaming_eval.inference.quota.quotas import Quotas
from streaming_eval.pipeline.endpoint_plans import endpoint_quotas
from streaming_eval.settings import Settings


@contextmanager
def quota_service(settings: Settings, metrics: EndpointMetrics) -> Iterator[QuotaAddress | None]:
    """Where workers get permits while the block lasts; None where no endpoint has a quota.

    Args:
        settings: the whole configuration.
        metrics: shows meanwhile how fast the endpoints may be asked.
    """
    quotas = endpoint_quotas(settings.endpoints)
    if not quotas:
        yield None
        return
    host = settings.spark.driver_host
    server = QuotaServer(Quotas(quotas, time.monotonic), new_secret(), host)
    server.start()
    metrics.read_quotas(server.status)
    try:
        yield server.address()
    finally:
        server.stop()
