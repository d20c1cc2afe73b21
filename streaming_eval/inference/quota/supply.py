"""Requests and tokens of one quota: what of them may be given out now."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from streaming_eval.inference.quota.messages import Remaining
from streaming_eval.inference.quota.token_bucket import TokenBucket

BURST_S = 1.0
SHORTEST_RESET_S = 2.0

_LONGEST_HINT_S = 10.0


@dataclass(frozen=True, slots=True)
class Quota:
    """What an endpoint allows; None is no limit.

    Attributes:
        requests_per_minute: above 0.
        tokens_per_minute: input and output together, at least 1.
        concurrency: requests under way at once, at least 1.
    """

    requests_per_minute: float | None = None
    tokens_per_minute: int | None = None
    concurrency: int | None = None


@dataclass(frozen=True, slots=True)
class Hint:
    """The share of the rates at which what is left will last, and for how long to keep to it."""

    share: float
    lasts_s: float


class _Meter:
    """One rate and its bucket."""

    __slots__ = ("bucket", "per_s")

    def __init__(self, per_minute: float) -> None:
        self.per_s = per_minute / 60
        self.bucket = TokenBucket(1 + BURST_S * self.per_s)

    def share_for(self, left: Remaining) -> float:
        """The share of this rate that makes what is left last until the provider counts anew."""
        return left.n / (left.reset_s * self.per_s)


class Supply:
    """Both buckets of a quota, each as far as it is limited.

    Each holds one second's worth of its rate and one more, and begins with one. Tokens may run into
    debt by one request, so that a large one is never passed over for ever by small ones.
    """

    def __init__(self, quota: Quota) -> None:
        requests, tokens = quota.requests_per_minute, quota.tokens_per_minute
        self._requests = None if requests is None else _Meter(requests)
        self._tokens = None if tokens is None else _Meter(tokens)
        self._meters = [meter for meter in (self._requests, self._tokens) if meter is not None]

    @property
    def metered(self) -> bool:
        """Whether there is any rate."""
        return bool(self._meters)

    @property
    def open(self) -> bool:
        """Whether a request may be permitted now."""
        return all(meter.bucket.open for meter in self._meters)

    def cost_s(self, tokens: int) -> float:
        """For how long, in seconds of the full rate, a request keeps the others waiting."""
        requests_s = 0.0 if self._requests is None else 1 / self._requests.per_s
        return max(requests_s, 0.0 if self._tokens is None else tokens / self._tokens.per_s, 1e-9)

    def fill(self, seconds: float) -> None:
        """So much time of the full rate has passed."""
        for meter in self._meters:
            meter.bucket.fill(seconds * meter.per_s)

    def hold(self, requests: int, tokens: int) -> None:
        """Permitted; to be followed by `spend` or `put_back` of the same amounts."""
        if self._requests is not None:
            self._requests.bucket.hold(requests)
        if self._tokens is not None:
            self._tokens.bucket.hold(tokens)

    def spend(self, requests: int, tokens: int) -> None:
        """Permits were used, or may have been."""
        if self._requests is not None:
            self._requests.bucket.spend(requests)
        if self._tokens is not None:
            self._tokens.bucket.spend(tokens)

    def put_back(self, requests: int, tokens: int) -> None:
        """Permits were not used and will not be."""
        if self._requests is not None:
            self._requests.bucket.put_back(requests)
        if self._tokens is not None:
            self._tokens.bucket.put_back(tokens)

    def correct(self, tokens: int) -> None:
        """So many more tokens were spent than permitted; fewer, if negative."""
        if self._tokens is not None:
            self._tokens.bucket.correct(tokens)

    def drain(self) -> None:
        """Nothing may be permitted until time has passed."""
        for meter in self._meters:
            meter.bucket.drain()

    def hint(self, requests: Remaining | None, tokens: Remaining | None) -> Hint:
        """What follows from what the provider says is left."""
        pairs = [(self._requests, requests), (self._tokens, tokens)]
        hints = [
            Hint(meter.share_for(left), min(_LONGEST_HINT_S, left.reset_s))
            for meter, left in pairs
            if meter is not None and left is not None and left.reset_s >= SHORTEST_RESET_S
        ]
        return min(hints, key=lambda hint: hint.share, default=Hint(inf, 0.0))
