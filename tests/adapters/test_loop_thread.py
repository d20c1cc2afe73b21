"""An event loop that goes on while nobody runs anything on it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from streaming_eval.adapters.loop_thread import LoopThread

PATIENCE_S = 10


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    loop = LoopThread()
    yield loop
    loop.close()


async def nothing() -> None:
    return None


def test_work_is_done_in_a_thread_of_its_own_and_always_the_same(loop: LoopThread) -> None:
    async def where() -> tuple[int, int]:
        return threading.get_ident(), id(asyncio.get_running_loop())

    first, second = loop.run(where()), loop.run(where())
    assert first == second
    assert first[0] != threading.get_ident()


def test_what_was_begun_goes_on_between_runs(loop: LoopThread) -> None:
    tasks: list[asyncio.Task[None]] = []
    went_on = threading.Event()

    async def later() -> None:
        await asyncio.sleep(0.001)
        went_on.set()

    async def begin() -> None:
        tasks.append(asyncio.ensure_future(later()))

    loop.run(begin())
    assert went_on.wait(PATIENCE_S), "nothing was run on the loop meanwhile"
    assert loop.run(_outcome(tasks[0])) is None


async def _outcome(task: asyncio.Task[None]) -> None:
    return await task


def test_an_exception_in_the_work_reaches_the_caller_and_the_loop_goes_on(loop: LoopThread) -> None:
    async def broken() -> None:
        await asyncio.sleep(0)
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        loop.run(broken())
    assert loop.run(nothing()) is None


def test_a_caller_that_is_killed_meanwhile_cancels_the_work(
    loop: LoopThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, cancelled = threading.Event(), threading.Event()

    async def endless() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    submit = asyncio.run_coroutine_threadsafe

    class KilledWhileWaiting:
        def __init__(
            self, work: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop
        ) -> None:
            self.cancel = submit(work, loop).cancel

        def result(self) -> None:
            assert begun.wait(PATIENCE_S)
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(asyncio, "run_coroutine_threadsafe", KilledWhileWaiting)
        loop.run(endless())
    assert cancelled.wait(PATIENCE_S)


def test_closing_ends_the_thread() -> None:
    before = set(threading.enumerate())
    loop = LoopThread()
    (thread,) = set(threading.enumerate()) - before
    assert (thread.name, thread.daemon) == ("model-calls", True)
    loop.run(nothing())
    loop.close()
    assert not thread.is_alive()
