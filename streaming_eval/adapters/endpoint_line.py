"""One endpoint as a worker process keeps it between micro-batches: connections and policies."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime
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
from streaming_eval.adapters.rate_limit_headers import remaining
from streaming_eval.configuration.secrets import from_file, from_variable
from streaming_eval.inference.calls.adaptive_limit import InFlightLimits
from streaming_eval.inference.calls.breaker import BreakerLimits
from streaming_eval.inference.calls.coalesce import with_coalescing
from streaming_eval.inference.calls.endpoint_stack import EndpointStack, StackLimits
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
        outputs = MODEL_APIS[plan.api].outputs
        self._estimate = TokenEstimate(outputs=outputs) if plan.tokens_per_minute else None
        self._stack = EndpointStack(
            _limits(plan), sleep=asyncio.sleep, random=random.random, clock=time.monotonic
        )

    def calls(self, tally: CallTally) -> Complete:
        """The call that a task makes, counted in `tally`."""
        if self._api is None:
            self._api = self._connected()
        send = tally.counted_send(self._api.send, self._plan.name)
        complete = self._stack.over(send, self._permitted)
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
        plan, heard = self._plan, self._heard if self._plan.metered else None
        return MODEL_APIS[plan.api](
            self._opened(lambda: open_session(plan.max_in_flight, heard)),
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

    def _opened(self, session: Callable[[], aiohttp.ClientSession]) -> aiohttp.ClientSession:
        """A session that belongs to the process's loop."""

        async def opened() -> aiohttp.ClientSession:
            return session()

        self._sessions.append(self._run(opened()))
        return self._sessions[-1]


def _limits(plan: EndpointPlan) -> StackLimits:
    return StackLimits(
        max_attempts=plan.max_attempts,
        deadline_s=plan.deadline_s,
        in_flight=InFlightLimits.fixed(plan.max_in_flight),
        breaker=BreakerLimits(
            failure_ratio=0.5,
            least_outcomes=20,
            most_outcomes=200,
            window_s=30.0,
            first_pause_s=1.0,
            longest_pause_s=30.0,
            patience_s=plan.deadline_s,
        ),
        hedge=None,
    )


def _key(plan: EndpointPlan) -> str | None:
    """The API key that the configuration names; None where it names none."""
    if plan.api_key_env is not None:
        return from_variable(plan.api_key_env, os.environ)
    return None if plan.api_key_file is None else from_file(Path(plan.api_key_file))
