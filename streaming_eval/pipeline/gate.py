"""Lets a job end between micro-batches instead of in the middle of one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Draining(Exception):  # noqa: N818 - not an error: the way a batch is turned away
    """Raised at the door of a micro-batch that must not begin any more; nothing was done."""


class Gate:
    """Every micro-batch passes through; once it is shut no new one begins."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._shut = False

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Surrounds the work of one micro-batch.

        Raises:
            Draining: the gate is shut.
        """
        with self._changed:
            if self._shut:
                raise Draining
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def pause(self, seconds: float) -> None:
        """Waits so long, inside a batch that may be given up.

        Raises:
            Draining: the gate has been shut.
        """
        with self._changed:
            if self._changed.wait_for(lambda: self._shut, seconds):
                raise Draining

    @property
    def is_shut(self) -> bool:
        return self._shut

    def shut(self, timeout_s: float) -> bool:
        """Shuts the gate and waits for the batches inside; False when they outlast `timeout_s`."""
        with self._changed:
            self._shut = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._inside == 0, timeout_s)
