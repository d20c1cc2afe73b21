"""One endpoint as a worker process keeps it between micro-batches: connections and policies."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from streaming_eval.adapters.call_tally import CallTally
from streaming_eval.adapters.endpoint_plan import EndpointPlan
from streaming_eval.adapters.http_exchange import open_session
from streaming_eval.adapters.json_api import Extras, JsonApi
from streaming_eval.adapters.model_apis import MODEL_APIS
from streaming_eval.adapters.quota_client import QuotaClient, open_quota_session
from streaming_eval.adapters.quota_wire import QuotaAddress
from streaming_eval.adapters.rate_limit_headers import remaining
from streaming_eval.adapters.stack_tally import StackTally
from streaming_eval.configuration.secrets import from_file, from_variable
from streaming_eval.inference.cache.cache_key import cache_key
from streaming_eval.inference.calls.claims import Claims
from streaming_eval.inference.calls.coalesce import separated, with_coalescing
from streaming_eval.inference.calls.endpoint_stack import EndpointStack
from streaming_eval.inference.calls.retry import straight
from streaming_eval.inference.calls.sent import in_line
from streaming_eval.inference.complete import Complete, Send
from streaming_eval.inference.quota.endpoint_leases import EndpointLeases
from streaming_eval.inference.quota.token_estimate import TokenEstimate
from streaming_eval.inference.quota.with_quota import with_quota
from streaming_eval.records import Request


class EndpointLine:
    """The way to one endpoint; what it learns of the endpoint it keeps.

    Args:
        plan: of the endpoint.
        quota: where permits come from, for a metered endpoint.
    """

    def __init__(self, plan: EndpointPlan, quota: QuotaAddress | None) -> None:
        self._plan, self._quota = plan, quota
        self._api: JsonApi | None = None
        self._leases: EndpointLeases | None = None
        self._sessions: list[aiohttp.ClientSession] = []
        outputs = MODEL_APIS[plan.api].outputs
        self._estimate = TokenEstimate(outputs=outputs) if plan.tokens_per_minute else None
        self._stack = EndpointStack(
            plan.limits, sleep=asyncio.sleep, random=random.random, clock=time.monotonic
        )
        self._counting = StackTally(self._stack, plan.name)

    def calls(self, tally: CallTally, claims: Claims | None = None) -> Complete:
        """The call that a task makes; to be asked for on the event loop.

        Args:
            tally: counts it.
            claims: of this process; None where its answers are not kept for others.
        """
        if self._api is None:
            self._api = self._connected()
        send = tally.counted_send(self._api.send, self._plan.name)
        complete = self._stack.over(send, self._permitted, self._claimed(claims))
        if self._api.max_inputs == 1:
            return complete
        return with_coalescing(
            tally.settled(complete),
            max_inputs=min(self._plan.inputs_per_request, self._api.max_inputs),
            max_chars=self._plan.chars_per_request,
            max_wait_s=self._plan.gather_s,
            sleep=asyncio.sleep,
        )

    async def settle(self) -> None:
        """Gives back permits that nobody needs; no call may be under way."""
        if self._leases is not None:
            await self._leases.settle()

    def count(self, tally: CallTally) -> None:
        """Adds what the policies did since the last task ended, in calls that outlast one, too."""
        self._counting.add_to(tally)
        self._counting = StackTally(self._stack, self._plan.name)

    async def close(self) -> None:
        """Ends all connections."""
        for session in self._sessions:
            await session.close()

    def _kept(self, session: aiohttp.ClientSession) -> aiohttp.ClientSession:
        self._sessions.append(session)
        return session

    def _permitted(self, send: Send) -> Send:
        if not self._plan.metered or self._quota is None:
            return send
        if self._leases is None:
            client = QuotaClient(self._kept(open_quota_session()), self._quota)
            self._leases = client.leases(self._plan.name)
        return with_quota(
            send,
            self._leases,
            estimate=self._estimate,
            most_tokens=self._plan.tokens_per_minute,
            waiting=in_line,
        )

    def _claimed(self, claims: Claims | None) -> Callable[[Send], Send]:
        if claims is None:
            return straight
        joins = MODEL_APIS[self._plan.api].max_inputs > 1

        def keys(request: Request) -> list[str]:
            return [cache_key(one) for one in (separated(request) if joins else (request,))]

        return lambda send: claims.guarded(send, keys)

    def _connected(self) -> JsonApi:
        plan, heard = self._plan, self._heard if self._plan.metered else None
        return MODEL_APIS[plan.api](
            self._kept(open_session(plan.connections, heard)),
            base_url=plan.base_url,
            api_key=_key(plan),
            timeout_s=plan.request_timeout_s,
            extras=Extras(dict(plan.headers), dict(plan.query), plan.key_header),
        )

    def _heard(self, headers: Mapping[str, str]) -> None:
        """Tells the quota what the provider says is left of its own."""
        now = datetime.now(UTC)
        requests, tokens = (remaining(headers, what, now) for what in ("requests", "tokens"))
        if self._leases is not None and (requests or tokens):
            self._leases.left(requests, tokens)


def _key(plan: EndpointPlan) -> str | None:
    """The API key that the configuration names; None where it names none."""
    if plan.api_key_env is not None:
        return from_variable(plan.api_key_env, os.environ)
    return None if plan.api_key_file is None else from_file(Path(plan.api_key_file))
