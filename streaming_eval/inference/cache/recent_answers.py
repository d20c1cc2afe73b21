"""A bounded memory of answers in front of a slower look-up."""

from __future__ import annotations

from streaming_eval.records import Response


class RecentAnswers:
    """Answers used lately, in two generations: what was asked for stays, the rest is dropped.

    Args:
        max_chars: of all remembered texts together, about.
    """

    def __init__(self, max_chars: int) -> None:
        self._generation_chars = max_chars // 2
        self._chars = 0
        self._current: dict[str, Response] = {}
        self._previous: dict[str, Response] = {}

    def get(self, key: str) -> Response | None:
        """The answer under a cache key, or None when it is not remembered."""
        found = self._current.get(key)
        if found is None and (found := self._previous.pop(key, None)) is not None:
            self.remember(key, found)
        return found

    def remember(self, key: str, response: Response) -> None:
        """Keeps an answer; may drop those that nobody asked for lately."""
        self._current[key] = response
        self._chars += len(response.text or "")
        if self._chars > self._generation_chars:
            self._previous, self._current, self._chars = self._current, {}, 0
