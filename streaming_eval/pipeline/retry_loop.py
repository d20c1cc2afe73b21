"""Tries waiting samples again, also while no new ones arrive."""

from __future__ import annotations

import threading
from collections.abc import Callable

from streaming_eval.pipeline.gate import Draining

_EVERY_S = 0.5
_LONGEST_END_S = 5.0  # a batch that the gate did not wait for is repeated at the next start


class RetryLoop:
    """A thread that asks for a batch of waiting samples whenever there may be one.

    Args:
        retry: makes one, if the time of any sample has come; says whether it did.

    Attributes:
        error: what ended the thread, if it was an error; waiting samples would wait forever then.
    """

    def __init__(self, retry: Callable[[], bool]) -> None:
        self.error: Exception | None = None
        self._retry = retry
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="retries", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def stop(self) -> None:
        """Ends after the batch under way."""
        self._over.set()
        self._thread.join(_LONGEST_END_S)

    def _run(self) -> None:
        try:
            while not self._over.wait(_EVERY_S):
                self._retry()
        except Draining:
            pass
        except Exception as error:
            self.error = error
