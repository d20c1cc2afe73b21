"""What calls cost, to the last digit."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.inference.spending.price import PICO, Price, Prices, pico
from streaming_eval.records import Usage

PRICES = Prices("EUR", {"small": Price.per_million(0.15, 0.6, cached_input=0.075)})
published = st.decimals(0, 1_000, places=6).map(float)
tokens = st.integers(0, 10**9)


def test_a_model_without_a_price_has_no_cost_and_not_a_cost_of_0() -> None:
    assert PRICES.cost("unknown", Usage(10, 10)) is None


@pytest.mark.parametrize("usage", [Usage(), Usage(10), Usage(None, 10)])
def test_an_answer_whose_tokens_nobody_counted_has_no_cost(usage: Usage) -> None:
    assert PRICES.cost("small", usage) is None


def test_a_model_of_ones_own_costs_0() -> None:
    own = Price.per_million(0, 0)
    assert own.free
    assert Prices("USD", {"own": own}).cost("own", Usage(10, 10)) == 0


def test_an_answer_costs_its_tokens_at_their_prices() -> None:
    assert PRICES.cost("small", Usage(1_000_000, 500_000)) == pico(0.45)
    assert not PRICES.models["small"].free


def test_tokens_from_the_providers_cache_have_their_own_price() -> None:
    price = PRICES.models["small"]
    assert price.cost(1_000_000, 0, cached_input_tokens=400_000) == pico(0.09 + 0.03)
    assert Price.per_million(0.15, 0.6).cost(1_000_000, 0, 400_000) == pico(0.15)


@given(published, published, st.lists(st.tuples(tokens, tokens)))
def test_sums_are_exact(
    input_price: float, output_price: float, calls: list[tuple[int, int]]
) -> None:
    """The sum of costs is the cost of the sums, and what the published prices say."""
    price = Price.per_million(input_price, output_price)
    total = sum(price.cost(*call) for call in calls)
    tokens_in, tokens_out = (sum(call[way] for call in calls) for way in (0, 1))
    assert total == price.cost(tokens_in, tokens_out)
    exact = Fraction(repr(input_price)) * tokens_in + Fraction(repr(output_price)) * tokens_out
    assert Fraction(total, PICO) == exact / 10**6


@given(published, published, published, tokens, st.floats(0, 1), tokens)
def test_no_part_from_the_providers_cache_makes_a_call_cost_more_than_most(
    fresh: float, cached: float, out: float, tokens_in: int, share: float, tokens_out: int
) -> None:
    price = Price.per_million(fresh, out, cached)
    cost = price.cost(tokens_in, tokens_out, int(share * tokens_in))
    assert cost <= price.most(tokens_in, tokens_out)


@pytest.mark.parametrize("wrong", [-0.1, 0.0000001, float("nan"), float("inf")])
def test_what_is_no_price_is_refused(wrong: float) -> None:
    for prices in ((wrong, 1.0), (1.0, wrong), (1.0, 1.0, wrong)):
        with pytest.raises(ValueError, match="a price has at most 6 decimals"):
            Price.per_million(*prices)


@given(st.decimals(0, 10**9, places=12))
def test_money_is_taken_as_it_is_written(amount: Decimal) -> None:
    as_float = float(amount)
    if Decimal(repr(as_float)) == amount:
        assert pico(as_float) == amount * PICO


@pytest.mark.parametrize("wrong", [1e-13, float("nan"), float("-inf")])
def test_what_is_no_amount_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="is not a whole number of pico-units"):
        pico(wrong)
