"""What every call of one endpoint passes, in the one order that keeps all promises.

    in-flight limit -> retry -> breaker -> quota -> claim -> hedge -> HTTP
                                                               `-> quota -> HTTP

The limit is outside retry, so that time spent in line is not charged to the deadline and a pause
keeps its place; the breaker is inside, so that it sees each attempt and holds attempts back, too;
the quota is inside both, so that each permit becomes one HTTP request. The claim (`claims.py`) is
inside all, so that a call that stands in line anywhere keeps no other process from asking.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from streaming_eval.inference.calls.adaptive_limit import AdaptiveLimit, InFlightLimits
from streaming_eval.inference.calls.breaker import Breaker, BreakerLimits
from streaming_eval.inference.calls.hedge import Hedge, HedgeLimits
from streaming_eval.inference.calls.retry import straight, with_retry
from streaming_eval.inference.complete import Complete, Send


@dataclass(frozen=True, slots=True)
class StackLimits:
    """The limits of one endpoint.

    Attributes:
        max_attempts: per call, at least 1.
        deadline_s: of one call, from its first HTTP request.
        hedge: None where nothing is asked a second time for being late.
    """

    max_attempts: int
    deadline_s: float
    in_flight: InFlightLimits
    breaker: BreakerLimits
    hedge: HedgeLimits | None


class EndpointStack:
    """The policies of one endpoint; lives as long as the process, since they learn.

    Args:
        limits: see `StackLimits`.
        sleep: waits that many seconds.
        random: uniform in [0, 1), for jitter.
        clock: monotonic seconds.

    Attributes:
        limit, breaker, hedge: for metrics.
    """

    def __init__(
        self,
        limits: StackLimits,
        *,
        sleep: Callable[[float], Awaitable[object]],
        random: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        self.limit = AdaptiveLimit(limits.in_flight)
        self.breaker = Breaker(limits.breaker, clock=clock, random=random)
        self.hedge = Hedge(limits.hedge, clock=clock) if limits.hedge else None
        self._limits, self._sleep, self._random, self._clock = limits, sleep, random, clock

    def over(
        self,
        send: Send,
        permitted: Callable[[Send], Send],
        claimed: Callable[[Send], Send] = straight,
    ) -> Complete:
        """The call made of `send`.

        Args:
            send: one HTTP request.
            permitted: puts an attempt behind the quota.
            claimed: puts an attempt behind the claims of all processes on one cache.
        """

        def around(one: Send) -> Send:
            hedged = self.hedge.hedged(one, permitted(one)) if self.hedge else one
            return self.breaker.guarded(permitted(claimed(hedged)))

        retried = with_retry(
            send,
            max_attempts=self._limits.max_attempts,
            deadline_s=self._limits.deadline_s,
            sleep=self._sleep,
            random=self._random,
            clock=self._clock,
            around=around,
        )
        return self.limit.limited(retried)
