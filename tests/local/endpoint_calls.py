"""Chat requests as the tests of the recorded endpoint make them."""

from typing import Any

import aiohttp

from streaming_eval.local.endpoint_process import RecordedEndpoint


def chat(prompt: str, model: str = "llama-2-7b") -> dict[str, Any]:
    """The body of a request with one user message."""
    return {"model": model, "messages": [{"role": "user", "content": prompt}], "temperature": 0}


async def ask(
    http: aiohttp.ClientSession, endpoint: RecordedEndpoint, body: object
) -> tuple[int, dict[str, Any]]:
    """Status and parsed reply of one request."""
    async with http.post(f"{endpoint.base_url}/chat/completions", json=body) as reply:
        return reply.status, await reply.json()
