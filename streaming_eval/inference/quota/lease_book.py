"""What each worker holds, has used and has reported."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import takewhile

from streaming_eval.inference.quota.messages import Ask, LeaseUse
from streaming_eval.inference.quota.supply import Supply

LIFETIME_S = 2.0
LATE_S = 0.8
REMEMBERED_S = 600.0


@dataclass(slots=True)
class Lease:
    """Permits that a worker was given together."""

    requests: int
    tokens: int
    used: int = 0
    used_tokens: int = 0
    returned: int = 0
    returned_tokens: int = 0

    @property
    def unused(self) -> int:
        """Requests that may still be started."""
        return self.requests - self.used - self.returned

    @property
    def unused_tokens(self) -> int:
        """Granted with those."""
        return self.tokens - self.used_tokens - self.returned_tokens


@dataclass(slots=True)
class Worker:
    """One worker as of its newest ask.

    Attributes:
        last: what it said last; totals of an ask are compared with these.
        ready: permits that wait for the worker's next ask: model to the tokens of each.
        slots: requests it may have under way at once.
    """

    name: str
    last: Ask
    seen_at: float
    slots: int = 0
    ready: dict[str, list[int]] = field(default_factory=dict)
    leases: dict[int, Lease] = field(default_factory=dict)

    @property
    def slots_taken(self) -> int:
        """What nobody else may have, because this worker has it or was told that it may."""
        return max(self.slots, self.last.slots_held, self.last.in_flight)


class LeaseBook:
    """Leases and workers of one endpoint.

    A worker that does not ask for `LATE_S` loses its place in line and what was ready for it. What
    it was given counts as used when its lease ends, since it may live on and have used it.

    Args:
        supply: where permits come from.
        late: told the name of a worker that is late.

    Attributes:
        live: workers that have asked within `LIFETIME_S`, the one longest unheard first.
        expired: permits whose lease ended before anything was heard of them.
    """

    def __init__(self, supply: Supply, late: Callable[[str], None]) -> None:
        self._supply, self._late = supply, late
        self.live: dict[str, Worker] = {}
        self._quiet: dict[str, Worker] = {}
        self._ends: deque[tuple[float, Worker, int]] = deque()
        self._count = self.expired = 0

    def arrived(self, ask: Ask, now_s: float) -> Worker:
        """The worker that asks; one never seen, or long forgotten, starts with what it says now."""
        worker = self.live.pop(ask.worker, None) or self._quiet.pop(ask.worker, None)
        if worker is None:
            worker = Worker(ask.worker, replace(ask, number=ask.number - 1), now_s)
        worker.seen_at = now_s
        self.live[ask.worker] = worker
        return worker

    def make_ready(self, worker: str, model: str, tokens: int) -> None:
        """One permit waits for the worker's next ask."""
        self.live[worker].ready.setdefault(model, []).append(tokens)

    def keep_ready(self, worker: Worker, most: Mapping[str, int]) -> Mapping[str, int]:
        """Puts back what is ready beyond `most` of each model; says what is left of each."""
        for model, ready in worker.ready.items():
            surplus = ready[most.get(model, 0) :]
            del ready[most.get(model, 0) :]
            self._supply.put_back(len(surplus), sum(surplus))
        return {model: len(worker.ready.get(model, ())) for model in most}

    def lease(self, worker: Worker, now_s: float) -> tuple[int, dict[str, tuple[int, ...]]]:
        """Number and permits of a lease of all that is ready for the worker."""
        if not any(worker.ready.values()):
            return 0, {}
        permits = {model: tuple(ready) for model, ready in worker.ready.items() if ready}
        worker.ready = {}
        self._count += 1
        requests, tokens = (sum(map(size, permits.values())) for size in (len, sum))
        worker.leases[self._count] = Lease(requests, tokens)
        self._ends.append((now_s + LIFETIME_S, worker, self._count))
        return self._count, permits

    def note(self, worker: Worker, use: LeaseUse) -> None:
        """Takes a report as far as it is news and not more than was granted."""
        lease = worker.leases.get(use.lease)
        if lease is None:
            return
        used = min(max(0, use.used - lease.used), lease.unused)
        tokens = min(max(0, use.used_tokens - lease.used_tokens), lease.unused_tokens)
        lease.used += used
        lease.used_tokens += tokens
        self._supply.spend(used, tokens)
        returned = min(max(0, use.returned - lease.returned), lease.unused)
        tokens = min(max(0, use.returned_tokens - lease.returned_tokens), lease.unused_tokens)
        lease.returned += returned
        lease.returned_tokens += tokens
        self._supply.put_back(returned, tokens)
        if not lease.unused:
            self._end(worker, use.lease)

    def expire(self, now_s: float) -> None:
        """Ends leases whose time is over and takes workers that have not asked for long at that."""
        while self._ends and self._ends[0][0] <= now_s:
            _, worker, number = self._ends.popleft()
            lease = worker.leases.get(number)
            if lease is not None:
                self.expired += lease.unused
                self._end(worker, number)
        for worker in _older(self.live, now_s - LATE_S):
            self.keep_ready(worker, {})
            self._late(worker.name)
        for worker in _older(self.live, now_s - LIFETIME_S):
            worker.slots = 0
            self._quiet[worker.name] = self.live.pop(worker.name)
        for worker in _older(self._quiet, now_s - REMEMBERED_S):
            del self._quiet[worker.name]

    def _end(self, worker: Worker, number: int) -> None:
        lease = worker.leases.pop(number)
        self._supply.spend(lease.unused, lease.unused_tokens)


def _older(workers: Mapping[str, Worker], seen_before: float) -> list[Worker]:
    """Those not seen since, of workers in the order they were seen."""
    return list(takewhile(lambda worker: worker.seen_at < seen_before, workers.values()))
