"""A loopback server in a thread of its own, for clients that bring their own event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from tests.adapters.loopback import Answer, Loopback, serving


@contextmanager
def threaded(answer: Answer) -> Iterator[Loopback]:
    """Serves `answer` until the block ends."""
    started: Future[tuple[Loopback, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        async with serving(answer) as server:
            ended = asyncio.Event()
            started.set_result((server, asyncio.get_running_loop(), ended))
            await ended.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    server, loop, ended = started.result(timeout=10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
