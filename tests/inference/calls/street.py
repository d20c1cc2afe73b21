"""Processes on one cache, all in one event loop: claims, spools and table are plain values."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from streaming_eval.inference.cache.cache_key import cache_key
from streaming_eval.inference.cache.freshness import Freshness, newest
from streaming_eval.inference.cache.paid_answer import PaidAnswer
from streaming_eval.inference.cache.with_cache import CachePolicy, Found, with_cache
from streaming_eval.inference.calls.adaptive_limit import AdaptiveLimit, InFlightLimits
from streaming_eval.inference.calls.claims import Claims
from streaming_eval.inference.calls.retry import with_retry
from streaming_eval.inference.calls.single_flight import SingleFlight
from streaming_eval.inference.complete import Complete, Send
from streaming_eval.records import Request, Response
from tests.inference.fake_loop import now_s

NOW_MS = 1_700_000_000_000


@dataclass
class Street:
    """What all processes see of each other.

    Attributes:
        busy: whether there is more than one job.
        claims: cache key to the process that has claimed it.
        kept: every answer that anybody has kept, by cache key.
        taken, looks: claims and looks so far.
    """

    busy: bool = True
    claims: dict[str, House] = field(default_factory=dict)
    kept: dict[str, list[Response]] = field(default_factory=dict)
    taken: int = 0
    looks: int = 0


class House:
    """One process's view of the street."""

    def __init__(self, street: Street) -> None:
        self.street = street

    def present(self) -> bool:
        return self.street.busy

    def take(self, key: str) -> bool:
        self.street.taken += 1
        return self.street.claims.setdefault(key, self) is self

    def release(self, key: str) -> None:
        if self.street.claims.get(key) is self:
            del self.street.claims[key]

    def taken(self, key: str) -> bool:
        return self.street.claims.get(key, self) is not self

    def answers(self, keys: Iterable[str]) -> Mapping[str, Response]:
        self.street.looks += 1
        found = ((key, newest(*self.street.kept.get(key, ()))) for key in keys)
        return {key: answer for key, answer in found if answer is not None}

    def keep(self, paid: PaidAnswer) -> None:
        self.street.kept.setdefault(paid.cache_key, []).append(paid.response)

    def die(self) -> None:
        """As the kernel does it."""
        for key in [key for key, house in self.street.claims.items() if house is self]:
            del self.street.claims[key]


class Process:
    """One worker's calls, in one batch that began before anybody had an answer.

    Args:
        street: shared with others.
        send: one HTTP request.
        places: calls in flight at most.
        patience_s: for other processes.
        deadline_s: of one call.
    """

    def __init__(
        self,
        street: Street,
        send: Send,
        *,
        places: int = 16,
        patience_s: float = 30.0,
        deadline_s: float = 120.0,
        freshness: Freshness | None = None,
        wrapped: Callable[[Complete], Complete] = lambda complete: complete,
    ) -> None:
        self.house, self.flights = House(street), SingleFlight()
        self.found: list[Found] = []
        self._freshness = freshness or Freshness()
        self.claims = Claims(
            self.house,
            lambda answer: self._freshness.holds(answer.created_ms, NOW_MS),
            asyncio.sleep,
        )
        retried = with_retry(
            send,
            max_attempts=3,
            deadline_s=deadline_s,
            sleep=asyncio.sleep,
            random=lambda: 0.5,
            clock=now_s,
            around=lambda one: self.claims.guarded(one, lambda request: [cache_key(request)]),
        )
        self.limit = AdaptiveLimit(InFlightLimits.fixed(places))
        self._complete = wrapped(self.limit.limited(retried))
        self._patience_s = patience_s
        self.ask = self.batch()

    def batch(self) -> Complete:
        """A cache that remembers nothing of earlier batches."""
        return with_cache(
            self._complete,
            lookup=lambda key: None,
            store=self._keep,
            policy=CachePolicy.READ_WRITE,
            freshness=self._freshness,
            now_ms=lambda: NOW_MS,
            observe=lambda request, found, response: self.found.append(found),
            flights=self.flights,
            share=self.claims.share(self._patience_s),
        )

    def _keep(self, paid: PaidAnswer) -> None:
        self.house.keep(replace(paid, response=replace(paid.response, created_ms=NOW_MS)))


def asked_of(process: Process, *requests: Request) -> asyncio.Task[list[Response]]:
    """A batch that asks these."""

    async def all_of_them() -> list[Response]:
        return await asyncio.gather(*map(process.ask, requests))

    return asyncio.create_task(all_of_them())
