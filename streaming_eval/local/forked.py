"""Several processes that serve the same, for a server that one core is not enough for."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from streaming_eval.local.tethered import tether


@contextmanager
def forked(processes: int, serve: Callable[[int], object]) -> Iterator[None]:
    """The others beside this process, which are ended with the block, or die with this process.

    Args:
        processes: how many there are, this one included; it has number 0.
        serve: what each of the others does, given its number, until SIGTERM.
    """
    others = [_other(number, serve) for number in range(1, processes)]
    try:
        yield
    finally:
        for pid in others:
            os.kill(pid, signal.SIGTERM)
        for pid in others:
            os.waitpid(pid, 0)


def _other(number: int, serve: Callable[[int], object]) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        tether(parent)
        serve(number)
        status = 0
    finally:
        os._exit(status)  # what this process shares with its parent is the parent's to clean up
