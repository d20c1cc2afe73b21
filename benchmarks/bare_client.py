"""The baseline: a bare aiohttp loop in two processes, nothing but requests and their bodies.

No cache key, no retry, no parsing of the reply beyond JSON, no result kept.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

import aiohttp
import orjson
import uvloop

from benchmarks.client_processes import rate, read_share, serve

_HEADERS = {"Content-Type": "application/json"}


def bare_rate(base_url: str, model: str, prompts: Sequence[str], in_flight: int) -> float:
    """Requests per second of two bare processes; see `client_processes.rate`."""
    return rate("benchmarks.bare_client", [base_url, model], prompts, in_flight)


class _Asker:
    """One session on one loop."""

    def __init__(self, base_url: str, model: str, in_flight: int) -> None:
        self._url, self._model = f"{base_url}/chat/completions", model
        self._loop = uvloop.new_event_loop()
        self._places = asyncio.Semaphore(in_flight)
        self._session = self._loop.run_until_complete(_session(in_flight))

    def ask_all(self, prompts: Sequence[str]) -> None:
        self._loop.run_until_complete(self._gather(prompts))

    def close(self) -> None:
        self._loop.run_until_complete(self._session.close())

    async def _gather(self, prompts: Sequence[str]) -> None:
        await asyncio.gather(*map(self._ask, prompts))

    async def _ask(self, prompt: str) -> None:
        messages = [{"role": "user", "content": prompt}]
        body = orjson.dumps({"model": self._model, "messages": messages, "temperature": 0})
        post = self._session.post(self._url, data=body, headers=_HEADERS)
        async with self._places, post as reply:
            orjson.loads(await reply.read())
            reply.raise_for_status()


async def _session(in_flight: int) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=in_flight)
    return aiohttp.ClientSession(connector=connector, read_bufsize=2**20)


def main() -> None:
    """One of the processes."""
    base_url, model = sys.argv[1:]
    share = read_share()
    asker = _Asker(base_url, model, share.in_flight)
    serve(share, list, asker.ask_all)
    asker.close()


if __name__ == "__main__":
    main()
