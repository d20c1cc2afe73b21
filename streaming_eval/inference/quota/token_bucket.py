"""A token bucket whose bound holds where things start, not only where they are granted."""

from __future__ import annotations

_ROUNDING = 1e-9


class TokenBucket:
    """What may be given out: it fills with time, and what is given out lies `held` until used.

    Neither level nor held amounts let it fill beyond the burst together: `level + held <= burst`.
    Each start takes one from that sum no earlier than it happens, and only time adds to it, so in
    any window of W seconds at most `burst + rate * W` is started, whenever a permit is used, and
    although unused ones come back. A single request may cost more than there is: the next ones then
    wait until the debt is paid, and the bound grows by what that request cost.

    Args:
        burst: at least 1.
        level: at the start.
    """

    def __init__(self, burst: float, level: float = 1.0) -> None:
        self._burst, self._level, self._held = burst, level, 0.0

    @property
    def open(self) -> bool:
        """Whether anything may be given out now."""
        return self._level >= 1.0 - _ROUNDING

    def fill(self, amount: float) -> None:
        """Time has passed that is worth this amount."""
        self._level += max(0.0, min(amount, self._burst - self._level - self._held))

    def hold(self, amount: float) -> None:
        """Given out; to be followed by `spend` or `put_back` of the same amount."""
        self._level -= amount
        self._held += amount

    def spend(self, amount: float) -> None:
        """It was used, or may have been."""
        self._held -= amount

    def put_back(self, amount: float) -> None:
        """It was not used and will not be."""
        self._held -= amount
        self._level += amount

    def correct(self, amount: float) -> None:
        """So much more was spent than was held; less, if negative."""
        self._level -= amount

    def drain(self) -> None:
        """Nothing may be given out until time has passed."""
        self._level = min(self._level, 0.0)
