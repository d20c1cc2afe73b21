"""Who gets what when there is not enough for all."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class FairOrder(Generic[K]):
    """Whose turn it is: who has had least; who was away starts level with the others.

    Start-time fair queueing (Goyal, Vin and Cheng 1996): over any time in which two are always
    waiting, what they get differs by at most what one request of each costs.
    """

    def __init__(self) -> None:
        self._tags: dict[K, float] = {}
        self._level = 0.0

    def next(self, waiting: Iterable[K]) -> K:
        """The one of `waiting`, which is not empty, that is served now."""
        chosen = min(waiting, key=self._tag)
        self._level = self._tag(chosen)
        return chosen

    def charge(self, key: K, cost: float) -> None:
        """It was served at this cost, above 0."""
        self._tags[key] = self._tag(key) + cost

    def forget(self, key: K) -> None:
        """It will not come again."""
        self._tags.pop(key, None)

    def _tag(self, key: K) -> float:
        return max(self._tags.get(key, 0.0), self._level)


def max_min(total: int, wanted: Mapping[K, int], turn: int) -> dict[K, int]:
    """Nobody gets more than wanted, and nobody could get more but from one who has no more.

    Args:
        total: whole things to share.
        wanted: by whom how many.
        turn: what does not divide evenly goes round with it.

    >>> max_min(10, {"a": 1, "b": 20, "c": 20}, turn=0)
    {'a': 1, 'b': 5, 'c': 4}
    """
    shares: dict[K, int] = {}
    left = total
    by_need = sorted(wanted, key=lambda key: wanted[key])
    for place, key in enumerate(by_need):
        level, over = divmod(left, len(by_need) - place)
        if wanted[key] > level:
            unmet = [key for key in wanted if key not in shares]
            first = turn % len(unmet)
            for rank, key in enumerate(unmet[first:] + unmet[:first]):
                shares[key] = level + (rank < over)
            break
        shares[key] = wanted[key]
        left -= wanted[key]
    return {key: shares[key] for key in wanted}
