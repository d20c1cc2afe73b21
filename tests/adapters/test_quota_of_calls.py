"""What a worker's calls take from the quota, and what it lets the driver know of the provider."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from streaming_eval.adapters.quota_server import QuotaServer
from streaming_eval.adapters.quota_wire import new_secret
from streaming_eval.inference.quota.messages import Ask, Grant, Remaining
from streaming_eval.inference.quota.quotas import Quota, Quotas
from streaming_eval.pipeline.endpoint_plans import endpoint_plan
from streaming_eval.records import Message, Request
from streaming_eval.settings import EndpointSettings
from tests.adapters.api_cases import vectors
from tests.adapters.loopback import GOOD, Received, http
from tests.adapters.runtimes import Runtime, runtime
from tests.adapters.threaded import threaded

QUOTA = Quota(requests_per_minute=60_000, tokens_per_minute=600_000, concurrency=8)


class Attentive(Quotas):
    """Notes what workers say."""

    def __init__(self) -> None:
        super().__init__({"models": QUOTA}, time.monotonic)
        self.asks: list[Ask] = []

    def exchange(self, ask: Ask) -> Grant:
        self.asks.append(ask)
        return super().exchange(ask)

    def charged(self) -> tuple[int, int]:
        """Permits used and tokens taken, all in all."""
        uses = {use.lease: use for ask in self.asks for use in ask.uses}
        granted = sum(use.used_tokens for use in uses.values())
        return sum(use.used for use in uses.values()), granted + self.asks[-1].extra_tokens


@contextmanager
def metered(root: Path, api: str, base_url: str) -> Iterator[tuple[Runtime, Attentive]]:
    """A worker whose calls need permits, and the driver's side of them."""
    quotas = Attentive()
    server = QuotaServer(quotas, new_secret())
    server.start()
    settings = EndpointSettings.model_validate(
        {
            "api": api,
            "base_url": base_url,
            "max_in_flight": 8,
            "request_timeout": "5s",
            "deadline": "10s",
            "max_attempts": 2,
            "tokens_per_minute": QUOTA.tokens_per_minute,
            "inputs_per_request": 100,
            "chars_per_request": 10_000,
        }
    )
    plan = endpoint_plan("models", settings, 1)
    try:
        with runtime(root, plan, server.address()) as worker:
            yield worker, quotas
    finally:
        server.stop()


def asked(base_url: str, api: str, n: int) -> list[Request]:
    return [Request(base_url, api, "m", (Message("user", f"text {i}"),)) for i in range(n)]


async def embedding(received: Received, writer: asyncio.StreamWriter) -> None:
    inputs = orjson.loads(received.body)["input"]
    usage = {"prompt_tokens": 7 * len(inputs), "total_tokens": 7 * len(inputs)}
    writer.write(http({**vectors(*([1.0] for _ in inputs)), "usage": usage}))


def test_an_http_request_takes_one_permit_and_the_tokens_of_all_its_inputs(tmp_path: Path) -> None:
    api = "openai_embeddings"
    with threaded(embedding) as server, metered(tmp_path, api, server.base_url) as (worker, quotas):
        responses, counts = worker.task(asked(server.base_url, api, 400))
    assert all(response.text == "[1.0]" for response in responses)
    assert len(server.received) == counts["requests", "ok"] == 4
    assert quotas.charged() == (4, 7 * 400)
    wanted = [n for ask in quotas.asks for n in ask.wanted.get("m", ())]
    # Later ones may have learnt from the first answer that a character takes more tokens.
    assert 0 < wanted[0] < 400, "what is reserved for a vector holds no output"


HEARD = [
    (
        {"x-ratelimit-remaining-requests": "5", "x-ratelimit-reset-requests": "30s"},
        (Remaining(5, 30.0), None),
    ),
    (
        {
            "anthropic-ratelimit-tokens-remaining": "900",
            "anthropic-ratelimit-tokens-reset": "2099-01-01T00:00:00Z",
            "x-ratelimit-remaining-tokens": "50",
            "x-ratelimit-reset-tokens": "1m0s",
        },
        (None, Remaining(50, 60.0)),
    ),
]


@pytest.mark.parametrize(("headers", "left"), HEARD)
@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request"])
def test_what_the_provider_says_is_left_slows_all_workers(
    tmp_path: Path,
    headers: dict[str, str],
    left: tuple[Remaining | None, Remaining | None],
    status: str,
) -> None:
    async def answer(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(http(GOOD, status, **headers))

    api = "openai_chat"
    with threaded(answer) as server, metered(tmp_path, api, server.base_url) as (worker, quotas):
        worker.task(asked(server.base_url, api, 1))
    assert left in [(ask.requests_left, ask.tokens_left) for ask in quotas.asks]
    assert quotas.status()["models"].share < 0.1


def test_without_such_headers_the_quota_is_as_configured(tmp_path: Path) -> None:
    async def answer(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(http(GOOD, x_ratelimit_remaining_requests="many"))

    api = "openai_chat"
    with threaded(answer) as server, metered(tmp_path, api, server.base_url) as (worker, quotas):
        worker.task(asked(server.base_url, api, 1))
    assert quotas.status()["models"].share == 1.0
    assert {ask.requests_left for ask in quotas.asks} == {None}
