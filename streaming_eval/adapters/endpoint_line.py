"""One endpoint as a worker process keeps it between micro-batches: connections and policies."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp

from streaming_eval.adapters.call_tally import CallTally
from streaming_eval.adapters.endpoint_plan import EndpointPlan
from streaming_eval.adapters.http_exchange import open_session
from streaming_eval.adapters.json_api import Extras, JsonApi
from streaming_eval.adapters.model_apis import MODEL_APIS
from streaming_eval.adapters.quota_client import QuotaClient, open_quota_session
from streaming_eval.adapters.quota_wire import QuotaAddress
from streaming_eval.adapters.stack_tally import StackTally
from streaming_eval.configuration.secrets import from_file, from_variable
from streaming_eval.inference.calls.endpoint_stack import EndpointStack
from streaming_eval.inference.calls.sent import in_line
from streaming_eval.inference.complete import Complete, Send
from streaming_eval.inference.quota.endpoint_leases import EndpointLeases
from streaming_eval.inference.quota.token_estimate import TokenEstimate
from streaming_eval.inference.quota.with_quota import with_quota

Run = Callable[[Coroutine[Any, Any, Any]], Any]


class EndpointLine:
    """The way to one endpoint; what it learns of the endpoint it keeps.

    Args:
        plan: of the endpoint.
        quota: where permits come from, for a metered endpoint.
        run: runs a coroutine on the process's loop, to its end.
    """

    def __init__(self, plan: EndpointPlan, quota: QuotaAddress | None, run: Run) -> None:
        self._plan, self._quota, self._run = plan, quota, run
        self._api: JsonApi | None = None
        self._leases: EndpointLeases | None = None
        self._sessions: list[aiohttp.ClientSession] = []
        self._estimate = TokenEstimate() if plan.tokens_per_minute else None
        self._stack = EndpointStack(
            plan.limits, sleep=asyncio.sleep, random=random.random, clock=time.monotonic
        )
        self._counting = StackTally(self._stack, plan.name)

    def calls(self, tally: CallTally) -> Complete:
        """The call that a task makes, counted in `tally`."""
        self._counting = StackTally(self._stack, self._plan.name)
        if self._api is None:
            self._api = self._connected()
        send = tally.counted_send(self._api.send, self._plan.name)
        return self._stack.over(send, self._permitted)

    async def settle(self, tally: CallTally) -> None:
        """Ends a task: gives back permits that nobody needs, and counts what the policies did.

        No call may be under way.
        """
        if self._leases is not None:
            await self._leases.settle()
        self._counting.add_to(tally)

    def _permitted(self, send: Send) -> Send:
        if not self._plan.metered or self._quota is None:
            return send
        if self._leases is None:
            session = self._opened(open_quota_session)
            self._leases = QuotaClient(session, self._quota).leases(self._plan.name)
        return with_quota(
            send,
            self._leases,
            estimate=self._estimate,
            most_tokens=self._plan.tokens_per_minute,
            waiting=in_line,
        )

    def _connected(self) -> JsonApi:
        plan = self._plan
        return MODEL_APIS[plan.api](
            self._opened(lambda: open_session(plan.connections)),
            base_url=plan.base_url,
            api_key=_key(plan),
            timeout_s=plan.request_timeout_s,
            extras=Extras(dict(plan.headers), dict(plan.query), plan.key_header),
        )

    def _opened(self, session: Callable[[], aiohttp.ClientSession]) -> aiohttp.ClientSession:
        """A session that belongs to the process's loop."""

        async def opened() -> aiohttp.ClientSession:
            return session()

        self._sessions.append(self._run(opened()))
        return self._sessions[-1]


def _key(plan: EndpointPlan) -> str | None:
    """The API key that the configuration names; None where it names none."""
    if plan.api_key_env is not None:
        return from_variable(plan.api_key_env, os.environ)
    return None if plan.api_key_file is None else from_file(Path(plan.api_key_file))
