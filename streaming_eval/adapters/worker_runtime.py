"""What stays alive in a Python worker between micro-batches: loop, sessions, answer index."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from streaming_eval.adapters.answer_index import AnswerIndex
from streaming_eval.adapters.call_tally import HELD, REFUSED, CallTally
from streaming_eval.adapters.endpoint_line import EndpointLine
from streaming_eval.adapters.endpoint_plan import EndpointPlan
from streaming_eval.adapters.loop_thread import LoopThread
from streaming_eval.adapters.model_apis import MODEL_APIS
from streaming_eval.adapters.quota_wire import QuotaAddress
from streaming_eval.adapters.shared_cache import SharedCache
from streaming_eval.adapters.spool import read_spool
from streaming_eval.adapters.task_spool import TaskSpool
from streaming_eval.inference.cache.freshness import Freshness, newest, newest_of_each_key
from streaming_eval.inference.cache.with_cache import CachePolicy, Lookup, with_cache
from streaming_eval.inference.calls.claims import Claims, unshared
from streaming_eval.inference.calls.single_flight import SingleFlight
from streaming_eval.inference.complete import Complete
from streaming_eval.inference.spending.books import BatchSpending
from streaming_eval.inference.spending.charge import at_most, charged
from streaming_eval.inference.spending.price import Prices
from streaming_eval.inference.spending.purse import Purse, with_budget
from streaming_eval.records import Response

T = TypeVar("T")
_KEEPING = (CachePolicy.READ_WRITE, CachePolicy.REFRESH)


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
class TaskCalls:
    """The calls of one task.

    Attributes:
        endpoints: name to what serves it.
        flights: what makes them, for this process.
        looking_up: surrounds many look-ups in a row, between which nothing else is done.
        tally: what was counted, once the task has ended; the task may add to it.
    """

    endpoints: Mapping[str, Complete]
    flights: SingleFlight
    looking_up: Callable[[], AbstractContextManager[None]]
    tally: CallTally


class WorkerRuntime:
    """One process's event loop, HTTP sessions and view of the cache.

    Everything in it lives on the loop, which goes on between tasks: calls may outlast a task.
    """

    def __init__(self, plan: RuntimePlan) -> None:
        self._plan = plan
        self._loop = LoopThread()
        self._flights = SingleFlight()
        self._lines = {e.name: EndpointLine(e, plan.quota) for e in plan.endpoints}
        self._at_once = sum(map(_inputs_at_once, plan.endpoints))
        self._index: AnswerIndex | None = None
        self._neighbours: SharedCache | None = None
        self._claims: Claims | None = None
        self._earlier: list[CallTally] = []

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs `work` on the process's loop, to its end."""
        return self._loop.run(work)

    @contextmanager
    def task(
        self, responses_version: int, spool: Path, spending: BatchSpending | None = None
    ) -> Iterator[TaskCalls]:
        """The calls of one task.

        Args:
            responses_version: version of the `responses` table that must be visible.
            spool: the batch's spool directory; what an earlier attempt left there counts as cached.
            spending: what the task may spend; None where nothing limits that.
        """
        task = self.run(self._begun(responses_version, spool, spending))
        looking_up = nullcontext if self._index is None else self._index.reading
        calls = TaskCalls(task.endpoints, self._flights, looking_up, CallTally())
        try:
            yield calls
        finally:
            self.run(self._ended(task, calls.tally))

    def close(self) -> None:
        """Lets go of connections, index and loop, which otherwise end with the process."""
        self.run(self._closed())
        self._loop.close()

    async def _closed(self) -> None:
        await self._flights.drain(0.0)
        for line in self._lines.values():
            await line.close()
        if self._neighbours is not None:
            self._neighbours.close()
        if self._index is not None:
            self._index.close()

    async def _begun(
        self, responses_version: int, spool: Path, spending: BatchSpending | None
    ) -> _Task:
        if self._plan.policy is not CachePolicy.OFF:
            self._refresh(responses_version)
        claims = self._claims = self._claims or self._claiming(spool.parent)
        spooled = {k: a.response for k, a in newest_of_each_key(read_spool(spool)).items()}
        tally, written = CallTally(), TaskSpool(spool)
        purse = Purse(spending.shares, self._at_once) if spending and spending.shares else None

        def cached(endpoint: EndpointPlan) -> Complete:
            complete = self._lines[endpoint.name].calls(tally, claims)
            if purse is not None and spending is not None:
                complete = _affordable(complete, purse, spending.prices)
            complete = with_cache(
                complete,
                lookup=self._lookup(spooled),
                store=written.append,
                policy=self._plan.policy,
                freshness=self._plan.freshness,
                observe=tally.observer(endpoint.name),
                flights=self._flights,
                share=unshared if claims is None else claims.share(endpoint.request_timeout_s),
            )
            return tally.settled(complete)

        endpoints = {endpoint.name: cached(endpoint) for endpoint in self._plan.endpoints}
        return _Task(endpoints, tally, written, purse)

    async def _ended(self, task: _Task, told: CallTally) -> None:
        task.written.close()
        lingering = self._flights.lingering
        if not lingering:  # else permits may still be needed
            for line in self._lines.values():
                await line.settle()
        for line in self._lines.values():
            line.count(told)
        for tally in (*self._earlier, task.tally):
            told.take(tally)
        self._earlier = [*self._earlier, task.tally] if lingering else []
        if task.purse is not None:
            for metric, sums in ((REFUSED, task.purse.refused), (HELD, task.purse.held)):
                for budget, n in sums.items():
                    told.add(metric, "", str(budget), n)

    def _refresh(self, responses_version: int) -> None:
        if self._index is None:
            self._index = AnswerIndex(Path(self._plan.index_path), self._plan.responses_uri)
        self._index.refresh(responses_version)

    def _claiming(self, spool: Path) -> Claims | None:
        """What spares jobs on one cache from asking the same; where this one's answers are kept."""
        if self._index is None or self._plan.policy not in _KEEPING:
            return None
        self._neighbours = SharedCache(Path(self._plan.responses_uri), spool, self._index)
        freshness = self._plan.freshness or Freshness()
        return Claims(
            self._neighbours,
            lambda answer: freshness.holds(answer.created_ms, time.time_ns() // 1_000_000),
            asyncio.sleep,
        )

    def _lookup(self, spooled: Mapping[str, Response]) -> Lookup:
        index = self._index
        if index is None:
            return spooled.get
        return lambda key: newest(spooled.get(key), index.get(key))


@dataclass(frozen=True, slots=True)
class _Task:
    """What one task has of its own."""

    endpoints: Mapping[str, Complete]
    tally: CallTally
    written: TaskSpool
    purse: Purse | None


def _inputs_at_once(plan: EndpointPlan) -> int:
    """What can be asked of an endpoint at once, in requests that may hold several inputs."""
    inputs = min(plan.inputs_per_request, MODEL_APIS[plan.api].max_inputs)
    return plan.limits.in_flight.share * inputs


def _affordable(complete: Complete, purse: Purse, prices: Prices) -> Complete:
    return with_budget(
        complete,
        purse,
        at_most=lambda request: at_most(request, prices),
        charged=lambda request, response: charged(request, response, prices),
    )


_runtimes: dict[RuntimePlan, WorkerRuntime] = {}


def runtime_for(plan: RuntimePlan) -> WorkerRuntime:
    """This process's runtime for `plan`, made at first use: never before Spark has forked."""
    if plan not in _runtimes:
        _runtimes[plan] = WorkerRuntime(plan)
    return _runtimes[plan]
