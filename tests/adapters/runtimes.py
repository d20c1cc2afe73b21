"""A worker's runtime in this process, for one endpoint, closed when the test is over."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from streaming_eval.adapters.endpoint_plan import EndpointPlan
from streaming_eval.adapters.quota_wire import QuotaAddress
from streaming_eval.adapters.tables import Tables
from streaming_eval.adapters.worker_runtime import RuntimePlan, WorkerRuntime
from streaming_eval.inference.cache.with_cache import CachePolicy
from streaming_eval.records import Request, Response

Counts = dict[tuple[str, str], int]


class Runtime:
    """What a worker's tasks do: ask for something, and report what that took."""

    def __init__(self, root: Path, plan: EndpointPlan, quota: QuotaAddress | None) -> None:
        self._endpoint, self._spool = plan.name, root / "spool" / "0"
        responses = Tables(root).uri("responses")
        self.worker = WorkerRuntime(
            RuntimePlan(
                (plan,), CachePolicy.READ_WRITE, responses, str(root / "index" / "answers"), quota
            )
        )

    def task(self, requests: Sequence[Request]) -> tuple[list[Response], Counts]:
        """The responses, and (metric, label) to how often."""
        with self.worker.task(0, self._spool) as calls:
            complete = calls.endpoints[self._endpoint]

            async def all_together() -> list[Response]:
                return await asyncio.gather(*map(complete, requests))

            responses = self.worker.run(all_together())
        rows = calls.tally.table().to_pylist()
        return responses, {(row["metric"], row["label"]): row["n"] for row in rows}


@contextmanager
def runtime(root: Path, plan: EndpointPlan, quota: QuotaAddress | None = None) -> Iterator[Runtime]:
    made = Runtime(root, plan, quota)
    try:
        yield made
    finally:  # a real worker takes them to its grave
        made.worker.close()
