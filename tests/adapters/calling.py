"""A client for servers on loopback, and what comes of its calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from streaming_eval.adapters.openai_chat import OpenAIChat, open_session
from streaming_eval.errors import InferenceError
from tests.adapters.loopback import Loopback

Connect = Callable[..., OpenAIChat]
KEY = "sk-canary-4242"


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    async with open_session(max_in_flight=256) as session:

        def connected(server: Loopback, timeout_s: float = 5) -> OpenAIChat:
            return OpenAIChat(
                session,
                base_url=server.base_url,
                api_key=KEY,
                timeout_s=timeout_s,
                max_reply_bytes=65_536,
            )

        yield connected


async def failure(api: OpenAIChat, server: Loopback) -> InferenceError:
    with pytest.raises(InferenceError) as caught:
        await api.send(server.request())
    return caught.value
