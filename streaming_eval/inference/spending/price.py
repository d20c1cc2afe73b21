"""What model calls cost: exact sums of money in whole pico-units of one currency.

A price is money per 1,000,000 tokens with at most six decimals, so one token costs a whole number
of pico-units (10^-12 of the currency) and so does every sum. Whole numbers add up to the same in
any order: workers, a restart and a query over the table agree to the last digit, which floats do
not, and they travel as plain 64-bit columns, which decimals do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from streaming_eval.records import Usage

PICO = 10**12
"""Pico-units in one unit of the currency."""
MOST_DECIMALS = 6
"""Of a price: finer ones would not be whole pico-units per token."""


@dataclass(frozen=True, slots=True)
class Price:
    """Pico-units for one token of a model.

    Attributes:
        cached_input: for a prompt token that the provider found in its own cache; None where that
            costs as much as any other.
    """

    input_token: int
    output_token: int
    cached_input: int | None = None

    @classmethod
    def per_million(
        cls, input_tokens: float, output_tokens: float, cached_input: float | None = None
    ) -> Price:
        """From money per 1,000,000 tokens, as providers publish it.

        >>> Price.per_million(0.15, 0.6, cached_input=0.075)
        Price(input_token=150000, output_token=600000, cached_input=75000)

        Raises:
            ValueError: a price is negative, not finite, or has more than six decimals.
        """
        return cls(
            _per_token(input_tokens),
            _per_token(output_tokens),
            None if cached_input is None else _per_token(cached_input),
        )

    def cost(self, input_tokens: int, output_tokens: int, cached_input_tokens: int = 0) -> int:
        """Pico-units of so many tokens; the cached ones are among `input_tokens`."""
        cached = self.input_token if self.cached_input is None else self.cached_input
        fresh = input_tokens - cached_input_tokens
        in_all = fresh * self.input_token + cached_input_tokens * cached
        return in_all + output_tokens * self.output_token

    def most(self, input_tokens: int, output_tokens: int) -> int:
        """Pico-units of so many tokens at most, however many of them turn out to be cached."""
        dearest = max(self.input_token, self.cached_input or 0)
        return input_tokens * dearest + output_tokens * self.output_token

    @property
    def free(self) -> bool:
        """Whether nothing is ever charged: a model of one's own."""
        return not (self.input_token or self.output_token or self.cached_input)


@dataclass(frozen=True, slots=True)
class Prices:
    """The price table: model, as its endpoint calls it, to its price.

    Attributes:
        currency: ISO 4217 code, a label only: nothing is ever converted.
    """

    currency: str = "USD"
    models: Mapping[str, Price] = field(default_factory=dict)

    def cost(self, model: str, usage: Usage) -> int | None:
        """Pico-units of one answer; None, never 0, where the price or the usage is not known."""
        price = self.models.get(model)
        if price is None or usage.input_tokens is None or usage.output_tokens is None:
            return None
        return price.cost(usage.input_tokens, usage.output_tokens)


def pico(money: float) -> int:
    """Whole pico-units of an amount, taken as it is written: 0.1 is a tenth.

    >>> pico(0.1) * 10 == pico(1)
    True

    Raises:
        ValueError: the amount is not finite or finer than a pico-unit.
    """
    exact = Decimal(repr(money)) * PICO
    if not exact.is_finite() or exact != int(exact):
        raise ValueError(f"{money} is not a whole number of pico-units")
    return int(exact)


def _per_token(per_million: float) -> int:
    if not has_price_decimals(per_million):
        raise ValueError(f"a price has at most {MOST_DECIMALS} decimals, got {per_million}")
    return pico(per_million) // 10**6


def has_price_decimals(per_million: float) -> bool:
    """Whether a price is one: not negative, finite, with at most six decimals.

    >>> has_price_decimals(0.0375), has_price_decimals(1e-7), has_price_decimals(-1.0)
    (True, False, False)
    """
    exact = Decimal(repr(per_million)) * 10**MOST_DECIMALS
    return bool(exact.is_finite() and exact >= 0 and exact == int(exact))
