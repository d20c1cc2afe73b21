"""Limits of a confidence sequence at one moment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """Limits of a confidence sequence now: on [0, 1] for bounded scores, else on their own scale.

    Nothing known is the whole range, never a point.
    """

    lower: float
    upper: float

    @property
    def half_width(self) -> float:
        return (self.upper - self.lower) / 2
