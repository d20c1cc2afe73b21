"""The buckets of the duration histogram, by which workers count and the driver shows."""

from __future__ import annotations

from bisect import bisect_left

DURATION_BOUNDS = (
    "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "30.0", "60.0", "+Inf",
)  # fmt: skip
"""Upper ends in seconds."""

_SECONDS = tuple(map(float, DURATION_BOUNDS))


def duration_bound(seconds: float) -> str:
    """The bound that a duration is counted under.

    >>> duration_bound(0.25), duration_bound(0.26), duration_bound(3_600.0)
    ('0.25', '0.5', '+Inf')
    """
    return DURATION_BOUNDS[bisect_left(_SECONDS, seconds)]
