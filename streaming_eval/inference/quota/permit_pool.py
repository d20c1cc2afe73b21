"""Permits that a worker holds and has not used yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from streaming_eval.inference.quota.messages import Grant, LeaseUse


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to start one request.

    Attributes:
        epoch: of the grant; see `Ask.epoch`.
        granted: tokens that the driver holds for it.
        asked: tokens that the request was thought to need.
    """

    epoch: int
    granted: int
    asked: int


class _Lease:
    """Counts of one lease; see `LeaseUse`."""

    def __init__(self, grant: Grant, ends_at: float) -> None:
        self.number, self.epoch, self.ends_at = grant.lease, grant.epoch, ends_at
        self.left = sum(map(len, grant.permits.values()))
        self.used = self.used_tokens = self.returned = self.returned_tokens = 0
        self.told = LeaseUse(grant.lease)

    def give_back(self, tokens: int) -> None:
        self.left -= 1
        self.returned += 1
        self.returned_tokens += tokens

    def use(self) -> LeaseUse:
        return LeaseUse(
            self.number, self.used, self.used_tokens, self.returned, self.returned_tokens
        )


class PermitPool:
    """The unused permits of all leases, per model, in the order they came."""

    def __init__(self) -> None:
        self._permits: dict[str, deque[tuple[_Lease, int]]] = {}
        self._leases: dict[int, _Lease] = {}

    def __len__(self) -> int:
        return sum(map(len, self._permits.values()))

    def add(self, grant: Grant, asked_at: float) -> None:
        """Takes in what was granted to an ask sent at that time."""
        if not grant.permits:
            return
        lease = self._leases[grant.lease] = _Lease(grant, asked_at + grant.lifetime_s)
        for model, permits in grant.permits.items():
            line = self._permits.setdefault(model, deque())
            line.extend((lease, tokens) for tokens in permits)

    def count(self, model: str) -> int:
        """Permits for that model."""
        return len(self._permits.get(model, ()))

    def take(self, model: str, tokens: int, now_s: float) -> Permit | None:
        """The oldest permit for the model that is good for a request of so many tokens, about.

        A request may need up to twice what was granted: what it spends beyond is reported. One that
        needs more waits for a permit of its own.
        """
        line = self._permits.get(model)
        if not line:
            return None
        for place, (lease, granted) in enumerate(line):
            if tokens <= 2 * granted and now_s < lease.ends_at:
                del line[place]
                lease.left -= 1
                lease.used += 1
                lease.used_tokens += granted
                return Permit(lease.epoch, granted, tokens)
        return None

    def give_back(self, keep: Mapping[str, int]) -> None:
        """Returns, newest first, the permits beyond so many of each model."""
        for model, line in self._permits.items():
            while len(line) > keep.get(model, 0):
                lease, granted = line.pop()
                lease.give_back(granted)

    def expire(self, now_s: float) -> None:
        """Drops what has run out; the driver takes it for used by itself."""
        for lease in [lease for lease in self._leases.values() if lease.ends_at <= now_s]:
            del self._leases[lease.number]
        for line in self._permits.values():
            while line and line[0][0].ends_at <= now_s:
                line.popleft()

    def uses(self) -> tuple[LeaseUse, ...]:
        """What the driver has not been told of every lease that still runs."""
        uses = [(lease, lease.use()) for lease in self._leases.values()]
        return tuple(use for lease, use in uses if use != lease.told)

    def told(self, uses: tuple[LeaseUse, ...]) -> None:
        """The driver has taken note of these."""
        for use in uses:
            lease = self._leases.get(use.lease)
            if lease is not None:
                lease.told = use
                if not lease.left and lease.use() == use:
                    del self._leases[use.lease]
