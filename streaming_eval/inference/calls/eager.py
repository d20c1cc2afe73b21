"""Coroutines that need no event loop while they need not wait.

Most calls of a warm job are hits, which never wait. A task for each of them would cost more than
the look-up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from types import coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def started(work: Coroutine[Any, Any, T]) -> asyncio.Future[T] | T:
    """Runs `work` at once, up to where it first waits; the rest becomes a task.

    Until then `work` is part of the caller's task, so it must not ask which one is its own, as
    `asyncio.timeout` does.

    Args:
        work: not started yet; what it raises before it waits is raised here.

    Returns:
        The result if `work` has never waited, else its task.
    """
    try:
        awaited = work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    _announce(awaited, False)
    return asyncio.ensure_future(_continued(work, awaited))


async def results(begun: list[asyncio.Future[T] | T]) -> list[T]:
    """What has come of each `started`, in order.

    Whose result is a future itself cannot be told from a task, so there must be none such.
    """
    await asyncio.gather(*(one for one in begun if isinstance(one, asyncio.Future)))
    return [one.result() if isinstance(one, asyncio.Future) else one for one in begun]


async def _continued(work: Coroutine[Any, Any, T], awaited: object) -> T:
    return await _rest(work, awaited)


@coroutine
def _rest(work: Coroutine[Any, Any, T], awaited: object) -> Generator[Any, None, T]:
    """What `await work` does, but for the first step (PEP 380, "Formal Semantics")."""
    _announce(awaited, True)
    while True:
        step: Callable[[], object]
        try:
            yield awaited
        except BaseException as error:  # a cancellation, which is for `work` to handle
            step = partial(work.throw, error)
        else:
            step = partial(work.send, None)
        try:
            awaited = step()
        except StopIteration as done:
            result: T = done.value
            return result


def _announce(awaited: object, waiting: bool) -> None:
    """Marks a future as handed to the loop by `await`, or not: others may await it meanwhile.

    The attribute is asyncio's protocol between futures and tasks; `asyncio.isfuture` goes by it.
    """
    if isinstance(awaited, asyncio.Future):
        awaited._asyncio_future_blocking = waiting
