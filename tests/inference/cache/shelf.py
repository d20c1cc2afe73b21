"""A cache in memory, for tests of policies."""

from __future__ import annotations

from streaming_eval.inference.cache.cache_key import cache_key
from streaming_eval.inference.cache.freshness import Freshness
from streaming_eval.inference.cache.paid_answer import PaidAnswer
from streaming_eval.inference.cache.with_cache import CachePolicy, Found, with_cache
from streaming_eval.inference.calls.single_flight import SingleFlight
from streaming_eval.inference.complete import Complete
from streaming_eval.records import Request, Response
from tests.inference.calls.scripted import answer


class Shelf:
    """Counts look-ups and keeps what it is given, in order; finds what it was made with."""

    def __init__(self, *stored: Request, now_ms: int = 1_700_000_000_000) -> None:
        self.responses = {cache_key(asked): answer("stored") for asked in stored}
        self.now_ms = now_ms
        self.kept: list[PaidAnswer] = []
        self.looked_up: list[str] = []
        self.observed: list[tuple[Request, Found, Response]] = []

    @property
    def found(self) -> list[Found]:
        """What each look-up came to."""
        return [found for _, found, _ in self.observed]

    def lookup(self, key: str) -> Response | None:
        self.looked_up.append(key)
        return self.responses.get(key)

    def store(self, paid: PaidAnswer) -> None:
        self.kept.append(paid)

    def take_over(self) -> None:
        """What was kept is found from now on, as after a commit."""
        self.responses |= {paid.cache_key: paid.response for paid in self.kept}

    def over(
        self,
        complete: Complete,
        policy: str = "read_write",
        freshness: Freshness | None = None,
        flights: SingleFlight | None = None,
    ) -> Complete:
        """The cache of one batch."""
        return with_cache(
            complete,
            lookup=self.lookup,
            store=self.store,
            policy=CachePolicy(policy),
            freshness=freshness,
            now_ms=lambda: self.now_ms,
            observe=lambda *seen: self.observed.append(seen),
            flights=flights,
        )
