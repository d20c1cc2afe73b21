"""One request in a hundred stuck for its whole deadline: what it costs all the others.

The engine's own classes around real connections, in this process; without Spark. A stuck request
goes to a port that takes it and never answers. The room above the limit of lively requests holds
those that are stuck.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from math import inf
from pathlib import Path

import aiohttp
import numpy as np
import uvloop

from benchmarks.bench_job import MODEL, new_prompts
from benchmarks.ratio import interleaved, ratio
from benchmarks.report import Report
from streaming_eval.adapters.http_exchange import open_session
from streaming_eval.adapters.openai_chat import OpenAIChat
from streaming_eval.inference.calls.adaptive_limit import InFlightLimits
from streaming_eval.inference.calls.breaker import BreakerLimits
from streaming_eval.inference.calls.endpoint_stack import EndpointStack, StackLimits
from streaming_eval.local.behaviour import Behaviour
from streaming_eval.local.endpoint_process import RecordedEndpoint
from streaming_eval.local.ports import LOOPBACK
from streaming_eval.records import Message, Request

_ONE_IN = 100
_IN_FLIGHT = 128
_LATENCY_S = 0.1
_DEADLINE_S = 10.0
# By the rule of `InFlightLimits` 128 requests are stuck at any time; a half more for chance.
_SHARE = _IN_FLIGHT + 192
_LEAST = 0.90
_LIMITS = StackLimits(
    max_attempts=5,
    deadline_s=_DEADLINE_S,
    in_flight=InFlightLimits(least=_IN_FLIGHT, most=_IN_FLIGHT, share=_SHARE, tolerance=inf),
    breaker=BreakerLimits(
        failure_ratio=0.5,
        least_outcomes=20,
        most_outcomes=200,
        window_s=30.0,
        first_pause_s=1.0,
        longest_pause_s=30.0,
        patience_s=_DEADLINE_S,
    ),
    hedge=None,
)


def run(directory: Path, report: Report, *, quick: bool) -> None:
    """Runs of two deadlines and more, with stuck requests and without, by turns."""
    requests, pairs = (3_000, 1) if quick else (22_000, 2)
    behaviour = Behaviour(latency_ms=1e3 * _LATENCY_S)
    with RecordedEndpoint(behaviour, synthetic=True, directory=directory) as endpoint:

        def rate(stuck: int) -> float:
            return uvloop.run(_rate_of_others(endpoint.base_url, new_prompts(requests), stuck))

        with_stuck, without = partial(rate, requests // _ONE_IN), partial(rate, 0)
        mine, theirs = interleaved(with_stuck, without, pairs, report.progress)
    report.add_ratio(
        "stuck",
        f"throughput of the others, 1 in {_ONE_IN} stuck for {_DEADLINE_S:g} s, "
        f"{1e3 * _LATENCY_S:g} ms / none stuck; {_IN_FLIGHT} lively, {_SHARE} open at most, "
        f"runs of {requests:,}",
        ratio(mine, theirs),
        f"{np.median(mine):,.0f}/s against {np.median(theirs):,.0f}/s",
        least=_LEAST,
    )


async def _rate_of_others(base_url: str, prompts: Sequence[str], stuck: int) -> float:
    """Requests per second that are not stuck, until the last of them has its answer.

    Args:
        base_url: of the model.
        prompts: one request each.
        stuck: how many of them, evenly spread, never get an answer.
    """
    every = len(prompts) // stuck if stuck else len(prompts) + 1
    async with _hole() as hole_url, open_session(_SHARE) as session:
        send, send_away = (_api(session, url).send for url in (base_url, hole_url))
        stack = EndpointStack(
            _LIMITS, sleep=asyncio.sleep, random=random.random, clock=time.monotonic
        )
        lively = stack.over(send, lambda one: one)
        lost = stack.over(send_away, lambda one: one)
        began, last = time.monotonic(), 0.0

        async def ask(prompt: str) -> None:
            nonlocal last
            response = await lively(_request(base_url, prompt))
            assert response.error is None, response.error
            last = time.monotonic()

        async def ask_in_vain(prompt: str) -> None:
            assert (await lost(_request(hole_url, prompt))).error == "deadline"

        await asyncio.gather(
            *(
                ask(prompt) if number % every else ask_in_vain(prompt)
                for number, prompt in enumerate(prompts, start=1)
            )
        )
    return (len(prompts) - stuck) / (last - began)


@asynccontextmanager
async def _hole() -> AsyncIterator[str]:
    """A server that takes connections and requests and never says anything."""

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)  # until the client gives up
        writer.close()

    server = await asyncio.start_server(say_nothing, LOOPBACK)
    try:
        yield f"http://{LOOPBACK}:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()


def _api(session: aiohttp.ClientSession, url: str) -> OpenAIChat:
    return OpenAIChat(session, base_url=url, api_key=None, timeout_s=2 * _DEADLINE_S)


def _request(endpoint: str, prompt: str) -> Request:
    return Request(
        endpoint=endpoint,
        api="openai_chat",
        model=MODEL,
        messages=(Message("user", prompt),),
        parameters={"temperature": 0},
    )
