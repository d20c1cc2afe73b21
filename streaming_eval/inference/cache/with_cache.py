"""Ask no question twice: look up, share what is under way, keep what was paid for.

`docs/cache.md` says what each policy means to an operator.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum

from streaming_eval.errors import PermanentError
from streaming_eval.inference.cache.cache_key import addressed, cache_key
from streaming_eval.inference.cache.freshness import Freshness
from streaming_eval.inference.cache.paid_answer import PaidAnswer
from streaming_eval.inference.calls.claims import Share, unshared
from streaming_eval.inference.calls.single_flight import SingleFlight, with_flights
from streaming_eval.inference.complete import Complete, failed
from streaming_eval.records import Request, Response

__all__ = ["CachePolicy", "Found", "Lookup", "Observe", "PaidAnswer", "Store", "with_cache"]


class CachePolicy(StrEnum):
    """What the cache may do.

    Attributes:
        READ_WRITE: a hit is answered from the cache, a miss is asked and kept.
        READ_ONLY: a hit is answered from the cache, a miss is asked and not kept.
        REFRESH: every question is asked once from an instant on, and the new answer replaces the
            stored one.
        REPLAY: answers of any age are used, a miss is an error, `cache_miss`; nothing is ever
            asked.
        OFF: every call is made, equal ones too; nothing is looked up, shared or kept.
    """

    READ_WRITE = "read_write"
    READ_ONLY = "read_only"
    REFRESH = "refresh"
    REPLAY = "replay"
    OFF = "off"


class Found(StrEnum):
    """What one look-up came to.

    Attributes:
        HIT: a stored answer was used; its latency and its tokens were saved.
        SHARED: the answer to the same question, under way already, here or in another process, was
            waited for; its tokens were saved, but no time.
        MISS: there was no answer, or it had failed earlier in the batch.
        STALE: there was one, but too old, so that it was asked for again.
    """

    HIT = "hit"
    SHARED = "shared"
    MISS = "miss"
    STALE = "stale"


Lookup = Callable[[str], Response | None]
Store = Callable[[PaidAnswer], None]
Observe = Callable[[Request, Found, Response], None]


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _unobserved(request: Request, found: Found, response: Response) -> None:
    return None


def with_cache(  # noqa: PLR0913 - its parts, each of which may be left out or replaced alone
    complete: Complete,
    *,
    lookup: Lookup,
    store: Store,
    policy: CachePolicy,
    freshness: Freshness | None = None,
    now_ms: Callable[[], int] = _wall_ms,
    observe: Observe = _unobserved,
    flights: SingleFlight | None = None,
    share: Share = unshared,
) -> Complete:
    """Make at most one call per cache key; make one value of this per batch, on one event loop.

    The value remembers each outcome it has seen, so a question that failed is not asked again in
    the same batch. Failures are never stored. Of all responses to one call exactly one has
    `cached=False`, so `attempts` summed over those is the number of HTTP requests made. In two
    cases none has: a stale answer is served because asking failed, and the answer came from another
    process.

    Args:
        complete: asks the model.
        lookup: the stored response to a cache key, from memory or a local file. It is asked only
            while no call for the key is under way or done.
        store: keeps a new answer; called once per answer, before anyone sees it. What it raises
            ends the batch: an answer that cannot be kept would be paid for again.
        policy: see `CachePolicy`.
        freshness: which stored answers still count, `replay` aside; all where None. `refresh` needs
            its instant, `since_ms`.
        now_ms: wall clock, epoch milliseconds.
        observe: told what each look-up came to and the response that the caller gets: for a hit,
            the stored one, whose `latency_ms` and `usage` are what was saved.
        flights: what makes the calls; one that outlives the batch lets the next one join those that
            are still under way.
        share: what makes a call unless another process makes it; see `Claims`. An answer that comes
            from there is not kept here, since who paid for it keeps it.
    """
    freshness = freshness or Freshness()
    if policy is CachePolicy.OFF:
        return complete if flights is None else with_flights(complete, flights)
    if policy is CachePolicy.REPLAY:
        return _replay(lookup, observe)
    if policy is CachePolicy.REFRESH and freshness.since_ms is None:
        raise ValueError("policy refresh needs the instant from which on answers count")
    keep = _let_go if policy is CachePolicy.READ_ONLY else store
    asking = _Asking(complete, keep, freshness, share, flights or SingleFlight())
    return _Cached(asking, lookup, freshness, now_ms, observe)


def _let_go(answer: PaidAnswer) -> None:
    return None


def _replay(lookup: Lookup, observe: Observe) -> Complete:
    async def replayed(request: Request) -> Response:
        try:
            known = lookup(cache_key(request))
        except PermanentError as error:
            return failed(error)
        found = Found.MISS if known is None else Found.HIT
        response = failed(_CACHE_MISS) if known is None else _as_cached(known)
        observe(request, found, response)
        return response

    return replayed


_CACHE_MISS = PermanentError("cache_miss", "not in the cache, and policy replay asks nothing")


def _as_cached(response: Response) -> Response:
    return response if response.cached else replace(response, cached=True)


class _Asking:
    """What is done about a question that has no answer."""

    def __init__(
        self,
        complete: Complete,
        keep: Store,
        freshness: Freshness,
        share: Share,
        flights: SingleFlight,
    ) -> None:
        self._complete, self._keep, self._freshness = complete, keep, freshness
        self._share, self._flights = share, flights
        self.outcomes: dict[str, Response] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._flights

    async def ask(
        self, key: str, text: bytes, request: Request, stale: Response | None = None
    ) -> Response:
        """The outcome of the call under way for the key, or of a new one."""
        return await self._flights.run(key, lambda: self._call(key, text, request, stale))

    async def _call(
        self, key: str, text: bytes, request: Request, stale: Response | None
    ) -> Response:
        async def paid() -> Response:
            response = await self._complete(request)
            if response.error is None:
                response = self._freshness.dated(response, stale)
                self._keep(PaidAnswer(key, text.decode(), response))
            return response

        response = await self._share(key, paid)
        if response.error is not None and stale is not None and self._freshness.serve_stale:
            response = _as_cached(stale)
        self.outcomes[key] = response
        return response


class _Cached:
    """The policies that ask."""

    def __init__(
        self,
        asking: _Asking,
        lookup: Lookup,
        freshness: Freshness,
        now_ms: Callable[[], int],
        observe: Observe,
    ) -> None:
        self._asking, self._lookup = asking, lookup
        self._freshness, self._now_ms, self._observe = freshness, now_ms, observe

    async def __call__(self, request: Request) -> Response:
        try:
            key, text = addressed(request)
        except PermanentError as error:
            return failed(error)
        found, response = await self._answer(key, text, request)
        self._observe(request, found, response)
        return response

    async def _answer(self, key: str, text: bytes, request: Request) -> tuple[Found, Response]:
        asking = self._asking
        if key in asking:
            shared = await asking.ask(key, text, request)
            asking.outcomes.setdefault(key, shared)  # of a call that an earlier batch began
            return Found.MISS if shared.error else Found.SHARED, _as_cached(shared)
        outcome = asking.outcomes.get(key)
        if outcome is not None:
            return Found.MISS if outcome.error else Found.HIT, _as_cached(outcome)
        stored = self._lookup(key)
        if stored is None:
            response = await asking.ask(key, text, request)
            return Found.SHARED if response.cached else Found.MISS, response
        if self._freshness.holds(stored.created_ms, self._now_ms()):
            return Found.HIT, _as_cached(stored)
        response = await asking.ask(key, text, request, stored)
        newer = response.cached and response.created_ms > stored.created_ms
        return Found.SHARED if newer else Found.STALE, response
