"""The processes of all jobs on one cache, as one of them deals with them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from streaming_eval.adapters.answer_index import AnswerIndex
from streaming_eval.adapters.byte_locks import ByteLocks
from streaming_eval.adapters.cache_members import CacheMembers
from streaming_eval.adapters.spool_watch import SpoolWatch
from streaming_eval.inference.cache.freshness import newest
from streaming_eval.records import Response

_DIGITS = 15  # of a key, 60 bits: two keys that share a lock are asked one after the other


class SharedCache:
    """This process's claims, and the answers of all; see `inference.calls.claims.Neighbours`.

    Args:
        responses: the table's directory.
        spool: of this process's job.
        index: of the table.

    Attributes:
        present: whether another job uses the cache.
    """

    def __init__(self, responses: Path, spool: Path, index: AnswerIndex) -> None:
        self._members = CacheMembers(responses, spool)
        self.present = self._members.present  # asked for each call, so it is not wrapped
        self._locks = ByteLocks(responses.with_name(f"{responses.name}.claims.lock"))
        self._spools, self._index = SpoolWatch(), index
        self._mine: set[str] = set()

    def take(self, key: str) -> bool:
        """Claims a cache key, unless another process has."""
        taken = self._locks.take(_byte(key))
        if taken:
            self._mine.add(key)
        return taken

    def release(self, key: str) -> None:
        """Gives up a claim; nothing happens where there is none."""
        if key in self._mine:
            self._mine.discard(key)
            self._locks.release(_byte(key))

    def taken(self, key: str) -> bool:
        """Whether another process has claimed the key."""
        return self._locks.taken(_byte(key))

    def answers(self, keys: Iterable[str]) -> dict[str, Response]:
        """Cache key to the newest answer that any job had kept before this was called.

        An answer is in a spool until it is in the table. So the spools come first, and whatever has
        left them by then is found in the table.
        """
        self._spools.look(self._members.spools)
        self._index.follow()
        found = ((key, newest(self._spools.get(key), self._index.get(key))) for key in keys)
        return {key: answer for key, answer in found if answer is not None}

    def close(self) -> None:
        """Gives up all claims."""
        self._locks.close()
        self._spools.close()


def _byte(key: str) -> int:
    return int(key[:_DIGITS], 16)
