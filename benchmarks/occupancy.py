"""How many of the allowed requests are under way, by the endpoint's own count."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from streaming_eval.local.endpoint_process import RecordedEndpoint

_PERIOD_S = 0.5


def mean_in_flight(endpoint: RecordedEndpoint, work: Callable[[], float]) -> tuple[float, float]:
    """What `work` returns, and the mean of the requests under way while it lasted."""
    seen: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_PERIOD_S):
            seen.append(endpoint.stats()["in_flight"])

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        result = work()
    finally:
        over.set()
        thread.join()
    return result, float(np.mean(seen)) if seen else 0.0
