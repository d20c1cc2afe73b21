"""An event loop that goes on between the tasks of a worker process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")


class LoopThread:
    """One event loop in a thread of its own, which ends with the process.

    Calls that outlast their batch are answered while the process waits for its next task, or works
    on something else.
    """

    def __init__(self) -> None:
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="model-calls", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Ends the loop and its thread; what runs on it is not waited for."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs `work` on the loop, to its end; from any other thread.

        An exception in this thread meanwhile, such as a task that is killed, cancels the work.
        """
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise
