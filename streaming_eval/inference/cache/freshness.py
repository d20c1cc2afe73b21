"""How old a stored answer may be, and which of two answers to one question counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha256

from streaming_eval.inference.cache.paid_answer import PaidAnswer
from streaming_eval.records import Response


@dataclass(frozen=True, slots=True)
class Freshness:
    """When a stored answer still counts; by default always.

    Attributes:
        max_age_ms: an answer that is older is asked for again; None for no limit.
        since_ms: an answer from before this instant, epoch milliseconds, is asked for again; None
            for no such instant.
        serve_stale: whether an answer that is too old is used after all when asking again fails.
    """

    max_age_ms: int | None = None
    since_ms: int | None = None
    serve_stale: bool = False

    def holds(self, created_ms: int, now_ms: int) -> bool:
        """Whether an answer of that instant may be used now; both in epoch milliseconds."""
        if self.since_ms is not None and created_ms < self.since_ms:
            return False
        return self.max_age_ms is None or now_ms - created_ms <= self.max_age_ms

    def dated(self, answer: Response, replaced: Response | None) -> Response:
        """The new answer, younger than what it replaces whatever the clocks of two hosts say."""
        earliest_ms = max(
            answer.created_ms,
            self.since_ms or 0,
            0 if replaced is None else replaced.created_ms + 1,
        )
        if earliest_ms == answer.created_ms:
            return answer
        return replace(answer, created_ms=earliest_ms)


def supersedes(one: Response, other: Response) -> bool:
    """Whether `one` counts where both are stored: the newer one, whoever stored it, and when.

    Of two answers of the same millisecond it is the one whose text has the smaller SHA-256, which
    means nothing but is the same everywhere.
    """
    if one.created_ms != other.created_ms:
        return one.created_ms > other.created_ms
    return tie_break(one.text) < tie_break(other.text)


def tie_break(text: str | None) -> bytes:
    """What decides between answers of the same millisecond; the smaller one counts."""
    return sha256((text or "").encode()).digest()


def newest(*answers: Response | None) -> Response | None:
    """The answer that counts among those that there are."""
    best: Response | None = None
    for answer in answers:
        if answer is not None and (best is None or supersedes(answer, best)):
            best = answer
    return best


def newest_of_each_key(answers: Iterable[PaidAnswer]) -> dict[str, PaidAnswer]:
    """Cache key to the answer that counts, in the order in which the keys first came."""
    best: dict[str, PaidAnswer] = {}
    for answer in answers:
        rival = best.get(answer.cache_key)
        if rival is None or supersedes(answer.response, rival.response):
            best[answer.cache_key] = answer
    return best
