"""What a worker has learnt from the provider and tells the driver."""

from __future__ import annotations

from dataclasses import replace
from math import inf

from streaming_eval.inference.quota.messages import LONGEST_PAUSE_S, Ask, Remaining
from streaming_eval.inference.quota.permit_pool import Permit


class ProviderNews:
    """Totals of what became of requests; see `Ask` for what they mean.

    Attributes:
        extra_tokens: spent beyond what was granted.
        paused_until: nothing is sent before, on the clock of whoever asks.
    """

    def __init__(self) -> None:
        self.epoch = self.extra_tokens = 0
        self._started = self._answered = self._refused = 0
        self.paused_until = self._wished_until = -inf
        self.requests_left: Remaining | None = None
        self.tokens_left: Remaining | None = None

    def started(self, permit: Permit) -> None:
        """A request is under way."""
        self._started += permit.epoch == self.epoch

    def answered(self, permit: Permit, tokens: int | None) -> None:
        """A request was answered, and took so many tokens if that is known."""
        self._answered += permit.epoch == self.epoch
        self.extra_tokens += (permit.asked if tokens is None else tokens) - permit.granted

    def failed(self, permit: Permit) -> None:
        """A request came to nothing, yet its tokens may have been spent."""
        self.extra_tokens += permit.asked - permit.granted

    def refused(self, permit: Permit, pause_s: float, now_s: float) -> None:
        """A request was refused for want of quota and has spent no tokens."""
        self._refused += permit.epoch == self.epoch
        self.extra_tokens -= permit.granted
        self._wished_until = max(self._wished_until, now_s + min(LONGEST_PAUSE_S, pause_s))
        self.paused(self._wished_until)

    def paused(self, until: float) -> None:
        """The driver says that nobody sends before."""
        self.paused_until = max(self.paused_until, until)

    def left(self, requests: Remaining | None, tokens: Remaining | None) -> None:
        """The provider said what is left of its quota."""
        self.requests_left, self.tokens_left = requests, tokens

    def told(self, ask: Ask) -> None:
        """The driver has taken note; totals go on, but what is left is said only once."""
        if self.requests_left is ask.requests_left and self.tokens_left is ask.tokens_left:
            self.requests_left = self.tokens_left = None

    def enter(self, epoch: int) -> None:
        """Permits of a new epoch have come: what is said of older ones counts no more."""
        if epoch != self.epoch:
            self.epoch, self._started, self._answered, self._refused = epoch, 0, 0, 0

    def fill_in(self, ask: Ask, now_s: float) -> Ask:
        """The ask with all that is to be told."""
        return replace(
            ask,
            epoch=self.epoch,
            started=self._started,
            answered=self._answered,
            refused=self._refused,
            extra_tokens=self.extra_tokens,
            pause_s=max(0.0, self._wished_until - now_s),
            requests_left=self.requests_left,
            tokens_left=self.tokens_left,
        )
