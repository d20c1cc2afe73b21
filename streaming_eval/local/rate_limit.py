"""A server's rate limit: a token bucket that says how long to wait."""

from __future__ import annotations


class RateLimit:
    """Lets `per_minute` calls through in the long run, `burst` at once after a pause.

    Args:
        per_minute: tokens that flow in each minute, above 0.
        burst: the bucket's size in calls; 0 means one second's worth, at least one.
        now_s: the time at which the bucket is full, on any steady clock.
    """

    def __init__(self, per_minute: float, burst: int, now_s: float) -> None:
        self.per_minute = per_minute
        self.size = burst or max(1, int(per_minute / 60))
        self._tokens = float(self.size)
        self._per_s = per_minute / 60
        self._filled_s = now_s

    def take(self, now_s: float) -> float:
        """Seconds to wait until a call would be let through; 0.0 when this one was."""
        self._refill(now_s)
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._per_s

    @property
    def remaining(self) -> int:
        """Whole calls that would be let through now."""
        return int(self._tokens)

    @property
    def full_in_s(self) -> float:
        """Seconds until the bucket is full again if nobody calls."""
        return (self.size - self._tokens) / self._per_s

    def _refill(self, now_s: float) -> None:
        gained = (now_s - self._filled_s) * self._per_s
        self._tokens = min(float(self.size), self._tokens + max(0.0, gained))
        self._filled_s = max(now_s, self._filled_s)
