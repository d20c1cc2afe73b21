"""Leave an endpoint alone while it is ill, and notice soon when it is well again.

A circuit breaker (Nygard 2007, "Release It!", chapter 5) between retry and quota: it sees every
attempt, and an attempt that it holds back takes no permit and is no HTTP request.

While the circuit is open, attempts wait for up to `patience_s` and then end their call as
`circuit_open`, which a later batch tries again. To wait is the better rule for a batch: an endpoint
that is down for a minute costs a minute, the records stay in the topic meanwhile, and no sample is
lost. With patience 0 calls end at once, which suits a job whose other endpoints must not wait; its
samples then go by way of the table of pending records.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from streaming_eval.errors import AskedElsewhere, InferenceError, PermanentError
from streaming_eval.inference.calls.sent import in_line
from streaming_eval.inference.complete import Send
from streaming_eval.records import Request, Response

_ILL = frozenset(("connection", "dns", "timeout"))
_SHORTEST_WAIT_S = 0.001


class CircuitState(StrEnum):
    """Whether attempts may pass.

    Attributes:
        CLOSED: all may.
        OPEN: none may until the pause is over.
        HALF_OPEN: one is under way as a probe, the others wait for what becomes of it.
    """

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class BreakerLimits:
    """When the circuit opens and how it closes.

    Attributes:
        failure_ratio: share of ill outcomes that opens it, in (0, 1].
        least_outcomes: fewer than that many open nothing; that many ill ones in a row open it,
            however well the endpoint was before: calls that pause between their attempts would
            take long to make up half of `most_outcomes`, and use them up meanwhile.
        most_outcomes: the newest that count.
        window_s: how long an outcome counts.
        first_pause_s: before the first probe, lengthened by up to half at random; each probe that
            fails doubles it.
        longest_pause_s: what doubling ends at.
        patience_s: how long an attempt waits for the circuit to close.
    """

    failure_ratio: float
    least_outcomes: int
    most_outcomes: int
    window_s: float
    first_pause_s: float
    longest_pause_s: float
    patience_s: float


def shows_illness(error: InferenceError) -> bool:
    """Whether the failure says that the endpoint is ill; any other reply is a sign of life."""
    return error.reason in _ILL or error.reason.startswith("http_5")


class _ProbeFailed(Exception):  # noqa: N818 - not the end of the attempt, which waits again
    def __init__(self, error: InferenceError) -> None:
        super().__init__(error.reason)
        self.error = error


class Breaker:
    """The circuit of one endpoint, as one process sees it; lives as long as the process.

    Args:
        limits: when it opens, how it closes.
        clock: monotonic seconds.
        random: uniform in [0, 1), so that not all workers probe at once.

    Attributes:
        state: for metrics.
        openings: how often it has opened.
        refused: attempts that ended as `circuit_open`.
    """

    def __init__(
        self, limits: BreakerLimits, *, clock: Callable[[], float], random: Callable[[], float]
    ) -> None:
        self.state = CircuitState.CLOSED
        self.openings = self.refused = 0
        self._limits, self._clock, self._random = limits, clock, random
        self._outcomes: deque[tuple[float, bool]] = deque()
        self._ill = self._ill_in_a_row = 0
        self._era = 0  # an outcome counts only in the state in which its attempt began
        self._pause_s = limits.first_pause_s
        self._probe_at = self._closed_at = clock()
        self._changed = asyncio.Event()

    def guarded(self, send: Send) -> Send:
        """`send` behind the circuit.

        A probe that fails is not the end of its attempt, which waits again with the others: no call
        uses up its attempts by probing.

        Raises:
            PermanentError: reason `circuit_open`, beside the errors of `send`.
        """

        async def guarded_send(request: Request) -> Response:
            gives_up_at = self._clock() + self._limits.patience_s
            while True:
                if self.state is not CircuitState.CLOSED:
                    with in_line():
                        await self._wait_until_passable(gives_up_at)
                try:
                    return await self._watched(send, request)
                except _ProbeFailed as failed:
                    if self._clock() >= gives_up_at:
                        raise failed.error from None

        return guarded_send

    async def _watched(self, send: Send, request: Request) -> Response:
        era, probing = self._era, self.state is CircuitState.HALF_OPEN
        try:
            response = await send(request)
        except AskedElsewhere:
            self._note_nothing(era)
            raise
        except InferenceError as error:
            ill = shows_illness(error)
            self._note(era, ill=ill)
            if probing and ill and getattr(error, "retry_after_s", None) is None:
                raise _ProbeFailed(error) from None
            raise
        except BaseException:
            self._note_nothing(era)
            raise
        self._note(era, ill=False)
        return response

    async def _wait_until_passable(self, gives_up_at: float) -> None:
        while not self._passable():
            left_s = gives_up_at - self._clock()
            if left_s <= 0:
                self.refused += 1
                raise PermanentError(
                    "circuit_open", f"the endpoint is ill; waited {self._limits.patience_s:g} s"
                )
            await self._wait_for_a_change(left_s)

    def _passable(self) -> bool:
        """Whether an attempt may pass now; where it is the probe, the circuit is now half open."""
        if self.state is CircuitState.OPEN and self._clock() >= self._probe_at:
            self._turn(CircuitState.HALF_OPEN)
            return True
        return self.state is CircuitState.CLOSED

    async def _wait_for_a_change(self, at_most_s: float) -> None:
        if self.state is CircuitState.OPEN:
            at_most_s = min(at_most_s, self._probe_at - self._clock())
        with suppress(TimeoutError):
            async with asyncio.timeout(max(_SHORTEST_WAIT_S, at_most_s)):
                await self._changed.wait()

    def _note(self, era: int, *, ill: bool) -> None:
        if era != self._era:
            return
        if self.state is CircuitState.CLOSED:
            if self._too_ill(ill):
                self._open(again=self._clock() - self._closed_at < self._limits.window_s)
        elif ill:
            self._open(again=True)
        else:
            self._close()

    def _note_nothing(self, era: int) -> None:
        """An attempt was cut off; where it was the probe, the next one in line takes its place."""
        if era == self._era and self.state is CircuitState.HALF_OPEN:
            self._probe_at = self._clock()
            self._turn(CircuitState.OPEN)

    def _too_ill(self, ill: bool) -> bool:
        now, limits = self._clock(), self._limits
        self._outcomes.append((now, ill))
        self._ill += ill
        self._ill_in_a_row = self._ill_in_a_row + 1 if ill else 0
        while (
            len(self._outcomes) > limits.most_outcomes
            or self._outcomes[0][0] <= now - limits.window_s
        ):
            self._ill -= self._outcomes.popleft()[1]
        n = len(self._outcomes)
        in_a_row = self._ill_in_a_row >= limits.least_outcomes
        return n >= limits.least_outcomes and (in_a_row or self._ill >= limits.failure_ratio * n)

    def _open(self, *, again: bool) -> None:
        limits = self._limits
        doubled_s = min(limits.longest_pause_s, 2 * self._pause_s)
        self._pause_s = doubled_s if again and self.openings else limits.first_pause_s
        self._probe_at = self._clock() + self._pause_s * (1 + 0.5 * self._random())
        self.openings += self.state is CircuitState.CLOSED
        self._turn(CircuitState.OPEN)

    def _close(self) -> None:
        self._outcomes.clear()
        self._ill = self._ill_in_a_row = 0
        self._closed_at = self._clock()
        self._turn(CircuitState.CLOSED)

    def _turn(self, state: CircuitState) -> None:
        self.state = state
        self._era += 1
        self._changed.set()  # wakes those who wait now
        self._changed.clear()
