"""What one call has sent, noted where it is sent, so that it is known of a call cut short, too.

The provider counts every HTTP request, retried, hedged or given up, and an answer that is under way
will have been paid for. Layers far outside need to know both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from streaming_eval.errors import PermanentError
from streaming_eval.inference.complete import Send
from streaming_eval.records import Request, Response


class Timer(Protocol):
    """What measures the time that a call is charged with."""

    def start(self) -> None:
        """Goes on, if it stands still."""

    def stop(self) -> None:
        """Stands still, if it goes on."""


class Sent:
    """The HTTP requests of one call, or of one part of a call.

    Attributes:
        total: begun so far.
        under_way: begun and not over.
        first_at: when the first began, on the event loop's clock; None before that. While the call
            waits for another process, when the first wait would have begun had they come at once.
        elsewhere: whether it waits for what another process has sent.
        waited_s: spent on that, in all.
        barred: why nothing more may be sent; None while it may.
        timer: started with each request.
        whole: the note of the call that this is a part of.
        joint: whether it is of several calls that are made together.
    """

    __slots__ = (
        "barred",
        "elsewhere",
        "first_at",
        "joint",
        "timer",
        "total",
        "under_way",
        "waited_s",
        "whole",
    )

    def __init__(self, timer: Timer | None = None, *, joint: bool = False) -> None:
        self.total = self.under_way = 0
        self.first_at: float | None = None
        self.barred: PermanentError | None = None
        self.elsewhere = False
        self.waited_s = 0.0
        self.timer, self.joint = timer, joint
        self.whole: Sent | None = None

    def begin(self) -> None:
        """Notes that a request begins.

        Raises:
            PermanentError: nothing more may be sent.
        """
        if self.barred is not None:
            raise PermanentError(self.barred.reason, self.barred.message)
        if self.whole is not None:
            self.whole.begin()
        self.total += 1
        self.under_way += 1
        if self.first_at is None:
            self.first_at = asyncio.get_running_loop().time()
        if self.timer is not None:
            self.timer.start()

    def end(self) -> None:
        """Notes that a request is over, whatever came of it."""
        self.under_way -= 1
        if self.whole is not None:
            self.whole.end()


_SENT: ContextVar[Sent | None] = ContextVar("sent", default=None)


@contextmanager
def noting(note: Sent) -> Iterator[None]:
    """Notes what is sent within, by this task and by those it starts, in `note`."""
    note.whole = _SENT.get()
    token = _SENT.set(note)
    try:
        yield
    finally:
        _SENT.reset(token)


@contextmanager
def in_line() -> Iterator[None]:
    """Surrounds waiting for leave to send: it is not charged to the call, until it sends again.

    Where another of the call's requests is under way, which it then waits for as well, it is.
    """
    sent = _SENT.get()
    if sent is not None and sent.timer is not None and not sent.under_way:
        sent.timer.stop()
    yield


@contextmanager
def awaiting_another() -> Iterator[None]:
    """Surrounds waiting for the answer to what another process has sent, as to a request of ours.

    The call may become a straggler by it, and the time is charged to the call.
    """
    sent = _SENT.get()
    if sent is None:
        yield
        return
    now = asyncio.get_running_loop().time
    began, first_at = now(), sent.first_at
    sent.elsewhere = True
    if first_at is None:
        sent.first_at = began - sent.waited_s
    try:
        yield
    finally:
        sent.elsewhere, sent.first_at = False, first_at
        sent.waited_s += now() - began


def so_far() -> tuple[int, float]:
    """What this task's call has used up: HTTP requests, and seconds of waiting for others.

    Of calls that are made together nobody knows whose the requests were: nothing.
    """
    sent = _SENT.get()
    return (0, 0.0) if sent is None or sent.joint else (sent.total, sent.waited_s)


def noted(send: Send) -> Send:
    """`send`, one HTTP request, with each entered in the note of its call, if there is one."""

    async def noting_send(request: Request) -> Response:
        sent = _SENT.get()
        if sent is None:
            return await send(request)
        sent.begin()
        try:
            return await send(request)
        finally:
            sent.end()

    return noting_send
