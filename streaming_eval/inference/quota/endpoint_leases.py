"""A worker's access to the quota of one endpoint, which asks the driver ahead of need."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from math import inf

from streaming_eval.errors import RetryableError
from streaming_eval.inference.quota.demand import Demand
from streaming_eval.inference.quota.lease_loop import LeaseLoop
from streaming_eval.inference.quota.messages import MOST_WANTED, Ask, Grant, Remaining
from streaming_eval.inference.quota.permit_pool import Permit, PermitPool
from streaming_eval.inference.quota.provider_news import ProviderNews
from streaming_eval.inference.quota.waiters import Waiters

_log = logging.getLogger(__name__)

Exchange = Callable[[Ask], Awaitable[Grant]]

_RENEW_S = 0.5


class EndpointLeases:
    """The `Leases` of one worker process; it belongs to one event loop.

    Args:
        endpoint: its name in the configuration.
        exchange: takes an ask to the driver. Raises RetryableError when that cannot be reached.
        worker: no other process, past or present, has this name.
        clock: monotonic seconds.
        random: uniform in [0, 1), for jitter.
        patience_s: how long a request waits for a driver that cannot be reached.
    """

    def __init__(
        self,
        endpoint: str,
        exchange: Exchange,
        *,
        worker: str,
        clock: Callable[[], float],
        random: Callable[[], float],
        patience_s: float = 30.0,
    ) -> None:
        self._endpoint, self._exchange, self._worker = endpoint, exchange, worker
        self._clock, self._patience_s = clock, patience_s
        self._waiters, self._pool, self._news = Waiters(), PermitPool(), ProviderNews()
        self._loop = LeaseLoop(self._ask, self._unreachable, self._broken, random)
        self._demands: dict[str, Demand] = {}
        self._grant: Grant | None = None
        self._good_until = self._asked_at = -inf
        self._lost_at: float | None = None
        self._in_flight = self._number = 0
        self._starved = self._closing = False

    def take_now(self, model: str, tokens: int) -> Permit | None:
        """A permit, if one is at hand and nobody waits for it."""
        return None if model in self._waiters else self._start(model, tokens)

    async def take(self, model: str, tokens: Callable[[], int]) -> Permit:
        """A permit, as soon as there is one; `tokens` may change its mind while it waits.

        Raises:
            RetryableError: `quota_unreachable`, the driver has not been reached for `patience_s`.
        """
        self._loop.start()
        if not self._starved:
            self._loop.wake()
        return await self._waiters.wait(model, tokens, self._clock(), self.failed)

    def answered(self, permit: Permit, tokens: int | None) -> None:
        """The request has been answered, and took so many tokens if that is known."""
        self._news.answered(permit, tokens)
        self._end()

    def failed(self, permit: Permit) -> None:
        """The request has ended some other way; its tokens may have been spent."""
        self._news.failed(permit)
        self._end()

    def refused(self, permit: Permit, pause_s: float | None) -> None:
        """The provider had no quota left, and wished not to be asked for so long."""
        self._news.refused(permit, pause_s or 0.0, self._clock())
        self._end()
        self._loop.start()
        self._loop.wake()

    def left(self, requests: Remaining | None, tokens: Remaining | None) -> None:
        """The provider said what is left of its quota."""
        self._news.left(requests, tokens)

    async def settle(self) -> None:
        """Gives back what is not used; to be called while no request is under way or waits.

        What is not given back, because the driver cannot be reached or this is not called, runs out
        within seconds and counts as used.
        """
        self._closing = True
        self._loop.wake()
        await self._loop.ended()
        self._closing = False

    def _start(self, model: str, tokens: int) -> Permit | None:
        now_s, grant = self._clock(), self._grant
        if grant is None or not self._news.paused_until <= now_s < self._good_until:
            return None
        if grant.slots is not None and self._in_flight >= grant.slots:
            return None
        permit = Permit(grant.epoch, tokens, tokens)
        if grant.metered:
            found = self._pool.take(model, tokens, now_s)
            if found is None:
                return None
            permit = found
            self._note_start(model, tokens)
        self._in_flight += 1
        self._news.started(permit)
        self._loop.start()
        return permit

    def _note_start(self, model: str, tokens: int) -> None:
        demand = self._demands.get(model)
        if demand is None:
            demand = self._demands[model] = Demand()
        demand.start(tokens)
        if not self._starved and 2 * self._pool.count(model) < min(demand.ahead, MOST_WANTED):
            self._loop.wake()

    def _end(self) -> None:
        self._in_flight -= 1
        if self._waiters:
            self._waiters.serve(self._start)

    async def _ask(self) -> float | None:
        now_s, last = self._clock(), self._closing
        ask = self._compose(now_s)
        grant = await self._exchange(ask)
        self._take_in(ask, grant, now_s)
        if last or not (self._busy or ask.in_flight or ask.slots_wanted or ask.wanted):
            return None
        if self._busy_soon:
            return max(grant.again_s, min(grant.pause_s, _RENEW_S))
        return _RENEW_S

    @property
    def _busy_soon(self) -> bool:
        return bool(
            self._waiters or self._pool or any(demand.ahead for demand in self._demands.values())
        )

    @property
    def _busy(self) -> bool:
        return self._in_flight > 0 or self._busy_soon

    def _compose(self, now_s: float) -> Ask:
        for demand in self._demands.values():
            demand.pass_time(now_s - self._asked_at)
        self._asked_at = now_s
        self._number += 1
        self._pool.expire(now_s)
        wanted = self._wanted(now_s)
        busy = self._in_flight + len(self._waiters)
        ask = Ask(
            self._worker,
            self._endpoint,
            self._number,
            wanted=wanted,
            uses=self._pool.uses(),
            in_flight=self._in_flight,
            slots_held=self._slots if self._slots is not None and now_s < self._good_until else 0,
            slots_wanted=busy + max(1, busy // 4) if self._busy and not self._closing else 0,
        )
        return self._news.fill_in(ask, now_s)

    def _wanted(self, now_s: float) -> dict[str, tuple[int, ...]]:
        """What is wanted of each model beyond what is at hand; what is not needed goes back."""
        needs = {} if self._closing else {model: self._need(model) for model in self._models()}
        stuck = self._free > 0 and self._news.paused_until <= now_s
        keep = {
            model: 0 if stuck and model in self._waiters else len(need)
            for model, need in needs.items()
        }
        self._pool.give_back(keep)
        wanted = {model: need[self._pool.count(model) :] for model, need in needs.items()}
        return {model: tokens for model, tokens in wanted.items() if tokens}

    def _need(self, model: str) -> tuple[int, ...]:
        """The tokens of each request that could start before the next ask."""
        demand = self._demands.get(model)
        soon, usual = (demand.ahead, demand.tokens) if demand is not None else (0, 0)
        need = self._waiters.tokens(model, MOST_WANTED) + (usual,) * (0 if self._starved else soon)
        return need[: min(MOST_WANTED, self._free + soon)]

    def _models(self) -> set[str]:
        return self._waiters.models | self._demands.keys()

    @property
    def _slots(self) -> int | None:
        return None if self._grant is None else self._grant.slots

    @property
    def _free(self) -> int:
        """Requests that may start now, as far as concurrency goes."""
        return MOST_WANTED if self._slots is None else max(0, self._slots - self._in_flight)

    def _take_in(self, ask: Ask, grant: Grant, asked_at: float) -> None:
        self._lost_at = None
        self._grant, self._good_until = grant, asked_at + grant.lifetime_s
        self._news.told(ask)
        self._news.enter(grant.epoch)
        self._news.paused(self._clock() + grant.pause_s if grant.pause_s else -inf)
        self._pool.told(ask.uses)
        self._pool.add(grant, asked_at)
        short = any(len(grant.permits.get(m, ())) < len(n) for m, n in ask.wanted.items())
        few = grant.slots is not None and grant.slots < ask.slots_wanted
        self._starved = few or (grant.metered and short)
        self._waiters.serve(self._start)

    def _unreachable(self, error: RetryableError) -> bool:
        now_s = self._clock()
        self._lost_at = now_s if self._lost_at is None else self._lost_at
        if now_s - self._lost_at >= self._patience_s:
            self._waiters.fail(lambda: _again(error), now_s - self._patience_s)
        return self._busy and not self._closing

    def _broken(self, error: Exception) -> None:
        _log.error("asking for quota failed", exc_info=error)
        self._waiters.fail(lambda: error, inf)


def _again(error: RetryableError) -> RetryableError:
    return RetryableError(error.reason, error.message)
