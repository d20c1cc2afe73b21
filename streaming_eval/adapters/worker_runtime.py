"""What stays alive in a Python worker between micro-batches: loop, sessions, answer index."""

from __future__ import annotations

import asyncio
import os
import random
import time
import uuid
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import pyarrow as pa
import uvloop

from streaming_eval.adapters.answer_index import AnswerIndex
from streaming_eval.adapters.call_tally import CallTally
from streaming_eval.adapters.openai_chat import OpenAIChat, open_session
from streaming_eval.adapters.spool import SpoolWriter, read_spool
from streaming_eval.configuration.secrets import from_file, from_variable
from streaming_eval.inference.cache import CachePolicy, Lookup, with_cache
from streaming_eval.inference.complete import Complete
from streaming_eval.inference.limit import with_limit
from streaming_eval.inference.recent_answers import RecentAnswers
from streaming_eval.inference.retry import with_retry
from streaming_eval.records import Response

T = TypeVar("T")
_RECENT_CHARS = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class EndpointPlan:
    """One endpoint as a worker uses it; its key is only named here, never held.

    Attributes:
        max_in_flight: this worker's share of the endpoint's limit.
    """

    name: str
    base_url: str
    api_key_env: str | None
    api_key_file: str | None
    max_in_flight: int
    request_timeout_s: float
    deadline_s: float
    max_attempts: int


@dataclass(frozen=True, slots=True)
class RuntimePlan:
    """What a worker's runtime is made from; equal plans share one runtime per process."""

    endpoints: tuple[EndpointPlan, ...]
    policy: CachePolicy
    responses_uri: str
    index_path: str


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
        self._recent = RecentAnswers(_RECENT_CHARS)
        self._apis: dict[str, OpenAIChat] = {}

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
        spooled = {a.cache_key: a.response for a in read_spool(spool)}
        path = spool / f"{os.getpid()}-{uuid.uuid4().hex}.spool"
        with SpoolWriter(path) as writer:
            endpoints = {
                endpoint.name: self._cached(endpoint, tally, spooled, writer)
                for endpoint in self._plan.endpoints
            }
            yield BatchCalls(endpoints, tally)

    def _cached(
        self,
        endpoint: EndpointPlan,
        tally: CallTally,
        spooled: Mapping[str, Response],
        writer: SpoolWriter,
    ) -> Complete:
        complete = with_cache(
            self._asking(endpoint, tally),
            lookup=self._lookup(spooled),
            store=writer.append,
            policy=self._plan.policy,
        )
        if self._plan.policy is CachePolicy.OFF:
            return complete
        return tally.counted_cache(complete, endpoint.name)

    def _lookup(self, spooled: Mapping[str, Response]) -> Lookup:
        recent = self._recent

        def lookup(key: str) -> Response | None:
            found = recent.get(key) or spooled.get(key)
            if found is None and (found := self._index.get(key)) is not None:
                recent.remember(key, found)
            return found

        return lookup

    def _asking(self, endpoint: EndpointPlan, tally: CallTally) -> Complete:
        send = tally.counted_send(self._api(endpoint).send, endpoint.name)
        retried = with_retry(
            send,
            max_attempts=endpoint.max_attempts,
            deadline_s=endpoint.deadline_s,
            sleep=asyncio.sleep,
            random=random.random,
            clock=time.monotonic,
        )
        return with_limit(retried, endpoint.max_in_flight)

    def _api(self, endpoint: EndpointPlan) -> OpenAIChat:
        if endpoint.name not in self._apis:
            session = self.run(_session(endpoint.max_in_flight))
            self._apis[endpoint.name] = OpenAIChat(
                session,
                base_url=endpoint.base_url,
                api_key=_key(endpoint),
                timeout_s=endpoint.request_timeout_s,
            )
        return self._apis[endpoint.name]


_runtimes: dict[RuntimePlan, WorkerRuntime] = {}


def runtime_for(plan: RuntimePlan) -> WorkerRuntime:
    """This process's runtime for `plan`, made at first use: never before Spark has forked."""
    if plan not in _runtimes:
        _runtimes[plan] = WorkerRuntime(plan)
    return _runtimes[plan]


def _key(endpoint: EndpointPlan) -> str | None:
    """The API key that the configuration names; None where it names none."""
    if endpoint.api_key_env is not None:
        return from_variable(endpoint.api_key_env, os.environ)
    return None if endpoint.api_key_file is None else from_file(Path(endpoint.api_key_file))


async def _session(max_in_flight: int) -> aiohttp.ClientSession:
    return open_session(max_in_flight)
