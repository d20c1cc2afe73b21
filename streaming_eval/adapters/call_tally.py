"""How many calls, look-ups and tokens one task saw, as rows that travel with its results."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable

import pyarrow as pa

from streaming_eval.adapters.duration_bounds import duration_bound
from streaming_eval.errors import InferenceError
from streaming_eval.inference.cache.with_cache import Found, Observe
from streaming_eval.inference.complete import Complete, Send
from streaming_eval.records import Request, Response

TALLY = pa.schema(
    [
        ("metric", pa.string()),
        ("endpoint", pa.string()),
        ("label", pa.string()),
        ("n", pa.int64()),
    ]
)


SAVED_OF_MODEL = "tokens_saved_of_model"
"""Metric with a model in the place of an endpoint: what its saved calls would cost."""
REFUSED, HELD = "refused", "held"
"""Metrics by budget: calls that were not made for want of it, and what is held back of it for calls
that are still under way."""


class CallTally:
    """Counts of one task.

    Metrics: `requests`, `requests_in_flight` (the most at once), `durations`, `microseconds`,
    `retries`, `tokens`, `cache_lookups`, `tokens_saved`, `milliseconds_saved`, `samples`, and those
    of `StackTally`.

    Worker processes have no registry that Prometheus reads; their numbers reach the driver as
    data, so that none is lost or counted twice when a worker dies.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._in_flight: Counter[str] = Counter()
        self._failed_once: dict[int, str] = {}

    def add(self, metric: str, endpoint: str, label: str, n: int = 1) -> None:
        """Counts `n` more."""
        self._counts[metric, endpoint, label] += n

    def take(self, other: CallTally) -> None:
        """Counts here what another has counted, and no longer there."""
        counts, other._counts = other._counts, Counter()
        self._counts.update(counts)

    def table(self) -> pa.Table:
        """The counts as rows of `TALLY`."""
        rows = [(*key, n) for key, n in self._counts.items()]
        columns = zip(*rows, strict=True) if rows else ([], [], [], [])
        arrays = [pa.array(c, f.type) for c, f in zip(columns, TALLY, strict=True)]
        return pa.Table.from_arrays(arrays, schema=TALLY)

    def counted_send(self, send: Send, endpoint: str) -> Send:
        """`send` with each HTTP request counted by its outcome and duration, and its tokens."""

        async def counted(request: Request) -> Response:
            earlier = self._failed_once.pop(id(request), None)
            if earlier is not None:
                self.add("retries", endpoint, earlier)
            began = self._began(endpoint)
            try:
                response = await send(request)
            except asyncio.CancelledError:
                self.add("requests", endpoint, "cancelled")
                raise
            except InferenceError as error:
                self.add("requests", endpoint, error.reason)
                self._failed_once[id(request)] = error.reason
                raise
            finally:
                self._ended(endpoint, began)
            self.add("requests", endpoint, "ok")
            self.add("tokens", endpoint, "input", response.usage.input_tokens or 0)
            self.add("tokens", endpoint, "output", response.usage.output_tokens or 0)
            return response

        return counted

    def observer(self, endpoint: str) -> Observe:
        """Counts look-ups and what they saved: tokens, and time where nobody had to wait."""

        def observed(request: Request, found: Found, response: Response) -> None:
            self.add("cache_lookups", endpoint, _RESULTS[found])
            if found in (Found.HIT, Found.SHARED):
                self.add("tokens_saved", endpoint, "input", response.usage.input_tokens or 0)
                self.add("tokens_saved", endpoint, "output", response.usage.output_tokens or 0)
                self.add(SAVED_OF_MODEL, request.model, "input", response.usage.input_tokens or 0)
                self.add(SAVED_OF_MODEL, request.model, "output", response.usage.output_tokens or 0)
            if found is Found.HIT:
                self.add("milliseconds_saved", endpoint, "", round(response.latency_ms or 0))

        return observed

    def settled(self, complete: Complete) -> Complete:
        """The outermost layer: a request that is done is forgotten, whose id another may get."""

        async def done(request: Request) -> Response:
            try:
                return await complete(request)
            finally:
                self._failed_once.pop(id(request), None)

        return done

    def _began(self, endpoint: str) -> float:
        self._in_flight[endpoint] += 1
        peak = ("requests_in_flight", endpoint, "")
        self._counts[peak] = max(self._counts[peak], self._in_flight[endpoint])
        return self._clock()

    def _ended(self, endpoint: str, began: float) -> None:
        took_s = self._clock() - began
        self._in_flight[endpoint] -= 1
        self.add("durations", endpoint, duration_bound(took_s))
        self.add("microseconds", endpoint, "", round(took_s * 1e6))


_RESULTS = {Found.HIT: "hit", Found.SHARED: "hit", Found.MISS: "miss", Found.STALE: "stale"}
