"""Ask no question twice: look up, share what is under way, keep what was paid for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum

from streaming_eval.errors import PermanentError
from streaming_eval.inference.cache_key import cache_key, canonical, key_of
from streaming_eval.inference.complete import Complete, failed
from streaming_eval.inference.paid_answer import PaidAnswer
from streaming_eval.inference.single_flight import SingleFlight
from streaming_eval.records import Request, Response

__all__ = ["CachePolicy", "Lookup", "PaidAnswer", "Store", "with_cache"]


class CachePolicy(StrEnum):
    """What the cache may do.

    Attributes:
        READ_WRITE: a hit is answered from the cache, a miss is asked and kept.
        REPLAY: a miss is an error, `cache_miss`; nothing is ever asked.
        OFF: every call is made, equal ones too; nothing is looked up, shared or kept.
    """

    READ_WRITE = "read_write"
    REPLAY = "replay"
    OFF = "off"


Lookup = Callable[[str], Response | None]
Store = Callable[[PaidAnswer], None]


def with_cache(
    complete: Complete, *, lookup: Lookup, store: Store, policy: CachePolicy
) -> Complete:
    """Make at most one call per cache key; make one value of this per batch, on one event loop.

    The value remembers each outcome it has seen, so a question that failed is not asked again in
    the same batch. Failures are never stored. Of all responses to one call exactly one has
    `cached=False`, so `attempts` summed over those is the number of HTTP requests made.

    Args:
        complete: asks the model.
        lookup: the stored response to a cache key, from memory or a local file. It is asked only
            while no call for the key is under way or done, so its misses are the calls made.
        store: keeps a new answer; called once per answer, before anyone sees it. What it raises
            ends the batch: an answer that cannot be kept would be paid for again.
        policy: see `CachePolicy`.
    """
    if policy is CachePolicy.OFF:
        return complete
    if policy is CachePolicy.REPLAY:
        return _replay(lookup)
    return _ReadWrite(complete, lookup, store)


def _replay(lookup: Lookup) -> Complete:
    async def replayed(request: Request) -> Response:
        try:
            known = lookup(cache_key(request))
        except PermanentError as error:
            return failed(error)
        return failed(_CACHE_MISS) if known is None else replace(known, cached=True)

    return replayed


_CACHE_MISS = PermanentError("cache_miss", "not in the cache, and policy replay asks nothing")


class _ReadWrite:
    def __init__(self, complete: Complete, lookup: Lookup, store: Store) -> None:
        self._complete, self._lookup, self._store = complete, lookup, store
        self._flights = SingleFlight()
        self._outcomes: dict[str, Response] = {}

    async def __call__(self, request: Request) -> Response:
        try:
            text = canonical(request)
        except PermanentError as error:
            return failed(error)
        key = key_of(text)
        shared = key in self._flights
        known = None if shared else self._outcomes.get(key) or self._lookup(key)
        if known is None:
            known = await self._flights.run(key, lambda: self._ask(key, text, request))
            if not shared:
                return known
        return known if known.cached else replace(known, cached=True)

    async def _ask(self, key: str, text: bytes, request: Request) -> Response:
        response = await self._complete(request)
        if response.error is None:
            self._store(PaidAnswer(key, text.decode(), response))
        self._outcomes[key] = response
        return response
