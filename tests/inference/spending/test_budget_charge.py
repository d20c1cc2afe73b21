"""What a call may cost at most, and what an answer did cost."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_eval.errors import PermanentError
from streaming_eval.inference.cache.cache_key import canonical
from streaming_eval.inference.spending.budget import Amount
from streaming_eval.inference.spending.charge import ASSUMED_OUTPUT_TOKENS, at_most, charged
from streaming_eval.inference.spending.price import Price, Prices
from streaming_eval.records import Request, Response, Usage
from tests.inference.requests import request

PRICES = Prices("USD", {"llama-2-7b": Price(2, 3)})


def output_limit(parameters: Mapping[str, object]) -> int:
    asked = request(parameters=parameters)
    return at_most(asked, PRICES).tokens - len(canonical(asked))


@pytest.mark.parametrize(
    ("parameters", "limit"),
    [
        ({}, ASSUMED_OUTPUT_TOKENS),
        ({"max_tokens": 100}, 100),
        ({"max_completion_tokens": 100}, 100),
        ({"max_output_tokens": 100}, 100),
        ({"maxOutputTokens": 100}, 100),
        ({"max_tokens": 100, "n": 3}, 300),
        ({"maxOutputTokens": 100, "candidateCount": 3}, 300),
        ({"max_tokens": 200, "max_completion_tokens": 100}, 100),
        ({"max_tokens": None}, ASSUMED_OUTPUT_TOKENS),
        ({"max_tokens": "100"}, ASSUMED_OUTPUT_TOKENS),
        ({"max_tokens": True}, ASSUMED_OUTPUT_TOKENS),
    ],
)
def test_an_answer_is_as_long_as_the_request_allows(
    parameters: Mapping[str, object], limit: int
) -> None:
    assert output_limit(parameters) == limit


def test_what_is_held_back_is_one_token_a_byte_and_the_longest_answer_at_their_prices() -> None:
    asked = request("¿Por qué?", parameters={"max_tokens": 7})
    size = len(canonical(asked))
    assert at_most(asked, PRICES) == Amount(size + 7, 2 * size + 3 * 7)


def test_a_request_without_json_form_is_refused() -> None:
    with pytest.raises(PermanentError) as caught:
        at_most(request(parameters={"temperature": float("nan")}), PRICES)
    assert caught.value.reason == "invalid_request"


def test_a_counted_answer_is_charged_by_its_count() -> None:
    answer = Response("Because.", usage=Usage(9, 4))
    assert charged(request(), answer, PRICES) == Amount(13, 2 * 9 + 3 * 4)


def test_an_uncounted_answer_is_charged_by_its_bytes_and_never_nothing() -> None:
    asked, answer = request(), Response("Ça va", usage=Usage())
    size = len(canonical(asked))
    assert charged(asked, answer, PRICES) == Amount(size + 6, 2 * size + 3 * 6)
    assert charged(asked, Response("Ça va", usage=Usage(9)), PRICES).tokens == 9 + 6


@given(st.text(), st.text(max_size=100))
def test_an_answer_within_its_limit_is_never_charged_more_than_was_held_back(
    question: str, text: str
) -> None:
    asked = request(question, parameters={"max_tokens": 400})
    try:
        most = at_most(asked, PRICES)
    except PermanentError:
        return
    took = charged(asked, Response(text, usage=Usage()), PRICES)
    assert took.tokens <= most.tokens
    assert took.money is not None
    assert most.money is not None
    assert took.money <= most.money


def test_a_failed_call_is_charged_nothing() -> None:
    assert charged(request(), Response(None, error="http_500"), PRICES) == Amount()


def test_an_embedding_has_no_output_to_pay_for() -> None:
    asked = Request("http://127.0.0.1/v1", "openai_embeddings", "llama-2-7b", ())
    vector = Response("AACAPwAAAEA=", usage=Usage(5))
    assert at_most(asked, PRICES).tokens == len(canonical(asked))
    assert charged(asked, vector, PRICES) == Amount(5, 10)


def test_a_model_without_a_price_is_charged_tokens_and_no_money() -> None:
    asked = request(model="unpriced")
    assert at_most(asked, PRICES).money is None
    assert charged(asked, Response("x", usage=Usage(1, 1)), PRICES) == Amount(2, None)
