"""What stays alive in a Python worker between micro-batches: loop, sessions, answer index."""

from __future__ import annotations

import os
import uuid
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import uvloop

from streaming_eval.adapters.answer_index import AnswerIndex
from streaming_eval.adapters.call_tally import CallTally
from streaming_eval.adapters.endpoint_line import EndpointLine
from streaming_eval.adapters.endpoint_plan import EndpointPlan
from streaming_eval.adapters.quota_wire import QuotaAddress
from streaming_eval.adapters.spool import SpoolWriter, read_spool
from streaming_eval.inference.cache.freshness import Freshness, newest, newest_of_each_key
from streaming_eval.inference.cache.with_cache import CachePolicy, Lookup, with_cache
from streaming_eval.inference.complete import Complete
from streaming_eval.records import Response

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RuntimePlan:
    """What a worker's runtime is made from; equal plans share one runtime per process.

    Attributes:
        quota: where the driver grants permits; None where no endpoint is metered.
    """

    endpoints: tuple[EndpointPlan, ...]
    policy: CachePolicy
    responses_uri: str
    index_path: str
    quota: QuotaAddress | None = None
    freshness: Freshness | None = None


@dataclass(frozen=True, slots=True)
class BatchCalls:
    """The calls of one task: endpoint name to what serves it, and what was counted."""

    endpoints: Mapping[str, Complete]
    tally: CallTally

    def tally_table(self) -> pa.Table:
        """The counts as rows of `TALLY`."""
        return self.tally.table()


class WorkerRuntime:
    """One process's event loop, HTTP sessions and view of the cache."""

    def __init__(self, plan: RuntimePlan) -> None:
        self._plan = plan
        self._loop = uvloop.new_event_loop()
        self._index = AnswerIndex(Path(plan.index_path), plan.responses_uri)
        self._lines = {e.name: EndpointLine(e, plan.quota, self.run) for e in plan.endpoints}

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs `work` on the process's loop, to its end."""
        return self._loop.run_until_complete(work)

    @contextmanager
    def batch(self, responses_version: int, spool: Path) -> Iterator[BatchCalls]:
        """The calls of one task.

        Args:
            responses_version: version of the `responses` table that must be visible.
            spool: the batch's spool directory; what an earlier attempt left there counts as cached.
        """
        tally = CallTally()
        if self._plan.policy is not CachePolicy.OFF:
            self._index.refresh(responses_version)
        spooled = {k: a.response for k, a in newest_of_each_key(read_spool(spool)).items()}
        path = spool / f"{os.getpid()}-{uuid.uuid4().hex}.spool"
        with SpoolWriter(path) as writer:
            endpoints = {
                endpoint.name: self._cached(endpoint, tally, spooled, writer)
                for endpoint in self._plan.endpoints
            }
            yield BatchCalls(endpoints, tally)
            for line in self._lines.values():
                self.run(line.settle(tally))

    def _cached(
        self,
        endpoint: EndpointPlan,
        tally: CallTally,
        spooled: Mapping[str, Response],
        writer: SpoolWriter,
    ) -> Complete:
        complete = with_cache(
            self._lines[endpoint.name].calls(tally),
            lookup=self._lookup(spooled),
            store=writer.append,
            policy=self._plan.policy,
            freshness=self._plan.freshness,
            observe=tally.observer(endpoint.name),
        )
        return tally.settled(complete)

    def _lookup(self, spooled: Mapping[str, Response]) -> Lookup:
        return lambda key: newest(spooled.get(key), self._index.get(key))


_runtimes: dict[RuntimePlan, WorkerRuntime] = {}


def runtime_for(plan: RuntimePlan) -> WorkerRuntime:
    """This process's runtime for `plan`, made at first use: never before Spark has forked."""
    if plan not in _runtimes:
        _runtimes[plan] = WorkerRuntime(plan)
    return _runtimes[plan]
