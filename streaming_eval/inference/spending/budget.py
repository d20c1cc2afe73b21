"""How much may be spent, on what, in which span of time.

Spans are whole hours and days of UTC, not the last 60 minutes or 24 hours: an operator can say when
a budget is full again, and what was spent since then is one sum over the `responses` table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

ALL_MODELS = "__all__"
"""Stands for a budget of the whole job where a model's name would stand."""

_LENGTH_MS = {"hour": 3_600_000, "day": 86_400_000}


class Per(StrEnum):
    """How long a budget lasts; leap seconds are ignored, as by every epoch clock.

    >>> Per.HOUR.began_ms(5_400_000), Per.HOUR.turns_ms(5_400_000)
    (3600000, 7200000)
    """

    HOUR = "hour"
    DAY = "day"

    def began_ms(self, now_ms: int) -> int:
        """When the UTC hour or day of that moment began, epoch milliseconds."""
        return now_ms - now_ms % _LENGTH_MS[self]

    def turns_ms(self, now_ms: int) -> int:
        """When the next one begins."""
        return self.began_ms(now_ms) + _LENGTH_MS[self]


class Unit(StrEnum):
    """What a budget counts: pico-units of money, or input and output tokens together."""

    MONEY = "money"
    TOKENS = "tokens"


class AtCap(StrEnum):
    """What happens when a budget does not last.

    Attributes:
        STOP: no batch is committed that lacks a paid call; the query waits for the next span.
        SAMPLE: fewer samples are asked about, so that the budget lasts to the end of its span.
    """

    STOP = "stop"
    SAMPLE = "sample"


@dataclass(frozen=True, slots=True)
class Amount:
    """What a call takes, or a sum of calls; `money` is None where a price is not known."""

    tokens: int = 0
    money: int | None = 0

    def of(self, unit: Unit) -> int:
        """The part that a budget of this unit counts; unknown money is no amount."""
        return self.tokens if unit is Unit.TOKENS else self.money or 0


@dataclass(frozen=True, slots=True)
class Budget:
    """So much per hour or day, for one model or for all of the job's calls together.

    Attributes:
        cap: pico-units or tokens, above 0.
        model: as its endpoint calls it; None for the whole job.
    """

    unit: Unit
    cap: int
    per: Per
    model: str | None = None

    def __post_init__(self) -> None:
        if self.cap <= 0:
            raise ValueError(f"the cap of a budget must be above 0, got {self.cap}")

    def covers(self, model: str) -> bool:
        """Whether calls of a model count."""
        return self.model in (None, model)

    @property
    def scope(self) -> str:
        """The model, or `__all__`, as a metric label."""
        return ALL_MODELS if self.model is None else self.model

    def __str__(self) -> str:
        of = "the job" if self.model is None else f"model {self.model}"
        return f"{self.unit} per {self.per} of {of}"
