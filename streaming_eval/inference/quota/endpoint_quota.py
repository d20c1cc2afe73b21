"""The driver's side of one endpoint: what is granted to whom, and how fast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from streaming_eval.inference.quota.adaptive_rate import FLOOR, AdaptiveRate
from streaming_eval.inference.quota.fair_shares import max_min
from streaming_eval.inference.quota.lease_book import LIFETIME_S, LeaseBook, Worker
from streaming_eval.inference.quota.messages import LONGEST_PAUSE_S, Ask, Grant
from streaming_eval.inference.quota.supply import Quota, Supply
from streaming_eval.inference.quota.waiting_line import WaitingLine

_AGAIN_S, _LONGEST_AGAIN_S, _ASKS_PER_S = 0.1, 0.5, 200


@dataclass(frozen=True, slots=True)
class QuotaStatus:
    """What is going on at one endpoint.

    Attributes:
        share: of the configured quota that is given out now, in (0, 1].
        requests_per_minute: that are given out now; None without such a limit.
        limit_per_minute: the requests that are configured; None without such a limit.
        workers: that have asked of late.
        waiting: requests that wait for a permit.
        in_flight: requests under way, as last reported.
        expired: permits that ended unused with their lease, since the start; they count as used.
    """

    share: float
    requests_per_minute: float | None
    limit_per_minute: float | None
    workers: int
    waiting: int
    in_flight: int
    expired: int


class EndpointQuota:
    """Grants permits for one endpoint so that no limit of its quota is exceeded.

    Args:
        quota: as configured.
        now_s: monotonic seconds, as in every later call.
    """

    def __init__(self, quota: Quota, now_s: float) -> None:
        self._per_minute, self._concurrency = quota.requests_per_minute, quota.concurrency
        self._supply = Supply(quota)
        self._line = WaitingLine(self._supply.cost_s)
        self._book = LeaseBook(self._supply, self._line.forget)
        self._rate = AdaptiveRate()
        self._now_s, self._paused_until = now_s, -inf
        self._hint, self._hint_until = inf, -inf

    def exchange(self, ask: Ask, now_s: float) -> Grant:
        """Takes note of what a worker says and grants it what is its due."""
        self._advance(now_s)
        worker = self._book.arrived(ask, now_s)
        news = ask.number > worker.last.number  # nobody waits for the answer to an overtaken one
        if news:
            self._note(worker, ask)
        pause_s = max(0.0, self._paused_until - now_s)
        number, permits = 0, dict[str, tuple[int, ...]]()
        if news and not pause_s:
            self._deal()
            number, permits = self._book.lease(worker, now_s)
        return Grant(
            lease=number,
            permits=permits,
            metered=self._supply.metered,
            slots=self._slots(worker),
            lifetime_s=LIFETIME_S,
            again_s=min(_LONGEST_AGAIN_S, max(_AGAIN_S, len(self._book.live) / _ASKS_PER_S)),
            pause_s=pause_s,
            epoch=self._rate.epoch,
        )

    def status(self) -> QuotaStatus:
        """As of the newest exchange."""
        workers, share = self._book.live.values(), self._share()
        return QuotaStatus(
            share=share,
            requests_per_minute=None if self._per_minute is None else self._per_minute * share,
            limit_per_minute=self._per_minute,
            workers=len(workers),
            waiting=len(self._line),
            in_flight=sum(worker.last.in_flight for worker in workers),
            expired=self._book.expired,
        )

    def _share(self) -> float:
        hint = self._hint if self._now_s < self._hint_until else inf
        return max(FLOOR, min(self._rate.share, hint))

    def _advance(self, now_s: float) -> None:
        """Lets time pass, in this order: what ends now was still held while the buckets filled."""
        flowing_s = max(0.0, now_s - max(self._now_s, self._paused_until))
        self._supply.fill(flowing_s * self._share())
        self._rate.advance(max(0.0, now_s - self._now_s))
        self._now_s = max(self._now_s, now_s)
        self._book.expire(now_s)

    def _note(self, worker: Worker, ask: Ask) -> None:
        for use in ask.uses:
            self._book.note(worker, use)
        self._supply.correct(ask.extra_tokens - worker.last.extra_tokens)
        self._learn(worker.last, ask)
        worker.last = ask
        if self._supply.metered:
            self._line.replace(worker.name, self._unmet(worker, ask.wanted))

    def _unmet(
        self, worker: Worker, wanted: Mapping[str, tuple[int, ...]]
    ) -> dict[str, tuple[int, ...]]:
        """What it wants beyond what is ready for it; what it does not want any more goes back."""
        ready = self._book.keep_ready(worker, {model: len(all_) for model, all_ in wanted.items()})
        return {model: all_[ready[model] :] for model, all_ in wanted.items()}

    def _learn(self, before: Ask, ask: Ask) -> None:
        """What the provider let this worker know of its limits."""
        seen = before if before.epoch == ask.epoch else Ask(ask.worker, ask.endpoint, 0)
        self._rate.note(
            ask.epoch,
            started=max(0, ask.started - seen.started),
            answered=max(0, ask.answered - seen.answered),
            refused=max(0, ask.refused - seen.refused),
        )
        self._rate.advance(0.0)  # what is granted next is granted at the lower rate already
        if ask.requests_left is not None or ask.tokens_left is not None:
            hint = self._supply.hint(ask.requests_left, ask.tokens_left)
            self._hint, self._hint_until = hint.share, self._now_s + hint.lasts_s
        until = self._now_s + min(LONGEST_PAUSE_S, ask.pause_s)
        if ask.pause_s and until > self._paused_until:
            self._paused_until = until
            self._supply.drain()

    def _deal(self) -> None:
        while self._supply.open and self._line:
            turn = self._line.next()
            self._supply.hold(1, turn.tokens)
            self._book.make_ready(turn.worker, turn.model, turn.tokens)

    def _slots(self, worker: Worker) -> int | None:
        """How many this worker may have under way; what the others have is not shared again."""
        if self._concurrency is None:
            return None
        total, live = self._concurrency, self._book.live
        if not self._supply.metered:  # with no rate to lower, fewer at once lower it
            total = max(1, int(total * self._rate.share))
        wanted = {name: live[name].last.slots_wanted for name in sorted(live)}
        fair = max_min(total, wanted, turn=int(self._now_s))[worker.name]
        others = sum(other.slots_taken for other in live.values()) - worker.slots_taken
        worker.slots = max(0, min(fair, total - others))
        return worker.slots
