"""The baseline: a bare aiohttp loop in two processes, nothing but requests and their bodies.

No cache key, no retry, no parsing of the reply beyond JSON, no result kept.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence

import aiohttp
import orjson
import uvloop

PROCESSES = 2


def bare_rate(base_url: str, model: str, prompts: Sequence[str], in_flight: int) -> float:
    """Requests per second of two bare processes that share prompts and in-flight limit.

    The clock runs from when both are warm and told to go until the last has its last reply.
    """
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.bare_client", base_url, model],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(PROCESSES)
    ]
    for place, child in enumerate(children):
        assert child.stdin is not None
        share = {
            "prompts": list(prompts[place::PROCESSES]),
            "in_flight": in_flight // PROCESSES,
        }
        child.stdin.write(json.dumps(share).encode() + b"\n")
        child.stdin.flush()
    for child in children:
        assert child.stdout is not None
        child.stdout.readline()
    began = time.monotonic()
    for child in children:
        assert child.stdin is not None
        child.stdin.write(b"go\n")
        child.stdin.close()
    for child in children:
        assert child.stdout is not None
        child.stdout.read()
        if child.wait() != 0:
            raise RuntimeError("a bare client failed")
    return len(prompts) / (time.monotonic() - began)


async def _ask_all(base_url: str, model: str, prompts: Sequence[str], in_flight: int) -> None:
    connector = aiohttp.TCPConnector(limit=in_flight)
    places = asyncio.Semaphore(in_flight)
    async with aiohttp.ClientSession(connector=connector, read_bufsize=2**20) as session:
        # Warm: connections open, code paths loaded, before the parent's clock starts.
        await asyncio.gather(
            *(_ask(session, places, base_url, model, f"warm {i}") for i in range(in_flight))
        )
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        await asyncio.gather(*(_ask(session, places, base_url, model, p) for p in prompts))


async def _ask(
    session: aiohttp.ClientSession,
    places: asyncio.Semaphore,
    base_url: str,
    model: str,
    prompt: str,
) -> None:
    body = orjson.dumps(
        {"model": model, "messages": [{"role": "user", "content": prompt}], "temperature": 0}
    )
    headers = {"Content-Type": "application/json"}
    async with (
        places,
        session.post(f"{base_url}/chat/completions", data=body, headers=headers) as reply,
    ):
        orjson.loads(await reply.read())
        reply.raise_for_status()


def main() -> None:
    """Reads its share from standard input, says `ready`, waits for `go`, asks."""
    base_url, model = sys.argv[1:]
    share = json.loads(sys.stdin.readline())
    uvloop.run(_ask_all(base_url, model, share["prompts"], share["in_flight"]))


if __name__ == "__main__":
    main()
