"""How fast a budget is used up, and so which share of the samples it can pay for to its end."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

MEMORY_S = 300.0
"""Time constant of what is remembered: batches of an hour ago no longer matter."""
BATCH_SHARE = 0.25
"""Of what is left, the most that one batch is planned to take, whatever happened before it."""
LOWEST_RATE = 0.001
"""A lower rate is none: one score in a thousand samples tells nothing, at a thousandfold weight."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What a budget's calls would take if every sample were asked about: decayed sums over batches.

    Attributes:
        full: tokens or pico-units of the batches that were asked about, each divided by its rate.
        asked: records in those batches.
        records: records in all batches.
        seconds: from each batch's end to the next one's.
    """

    full: float = 0.0
    asked: float = 0.0
    records: float = 0.0
    seconds: float = 0.0

    @classmethod
    def guess(cls, per_record: float) -> Pace:
        """As if one record had been seen: what the first batches are planned by."""
        return cls(full=per_record, asked=1.0)

    def update(self, *, spent: int, rate: float, records: int, seconds: float) -> Pace:
        """With one more batch.

        Args:
            spent: what its answers were charged.
            rate: probability with which its samples were asked about.
            records: how many it had.
            seconds: since the batch before it ended; 0 for the first.
        """
        kept = exp(-seconds / MEMORY_S)
        asked = records if rate > 0 else 0
        full = spent / rate if rate > 0 else 0.0
        pace = Pace(
            kept * self.full + full,
            kept * self.asked + asked,
            kept * self.records + records,
            kept * self.seconds + seconds,
        )
        # With nobody asked for long, the sums would vanish and their ratio with them.
        return pace if pace.asked >= 1 else Pace(self.full, self.asked, pace.records, pace.seconds)

    @property
    def per_record(self) -> float:
        """What a record would take if it were asked about."""
        return self.full / self.asked if self.asked else 0.0

    @property
    def per_second(self) -> float | None:
        """What a second would take; None before time has passed between two batches."""
        return self.per_record * self.records / self.seconds if self.seconds else None


def rate(left: int, seconds_left: float, pace: Pace, records: int) -> float:
    """The rate at which a budget lasts to the end of its span, in [0, 1].

    Nothing is spent faster than evenly, and at most a quarter of the rest on one batch, so that a
    burst after a quiet time leaves something for what comes after it.

    Args:
        left: of the budget.
        seconds_left: until the budget is full again.
        pace: of the calls that it pays for.
        records: in the batch that comes.

    >>> half = Pace(full=200.0, asked=10.0, records=10.0, seconds=10.0)
    >>> rate(1_000, 100.0, half, records=1)
    0.5
    """
    rates = [1.0]
    if pace.per_second:
        rates.append(left / (pace.per_second * seconds_left))
    if batch := pace.per_record * records:
        rates.append(BATCH_SHARE * left / batch)
    lasting = min(rates)
    return lasting if lasting >= LOWEST_RATE else 0.0
