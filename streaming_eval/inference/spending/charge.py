"""What a call is charged: at most, before it is made, and exactly, once it is answered.

No tokenizer is at hand, and none is needed: those that language models use make at most one token
of a byte of UTF-8, so bytes are an upper bound, usually four times too high. That holds back money
for as long as a call lasts, and costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from streaming_eval.inference.cache.cache_key import canonical
from streaming_eval.inference.spending.budget import Amount
from streaming_eval.inference.spending.price import Prices
from streaming_eval.records import Request, Response

ASSUMED_OUTPUT_TOKENS = 4_096
"""Held back for a request that does not limit its answer; a longer one can pass the cap."""

WITHOUT_OUTPUT = frozenset({"openai_embeddings"})
_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "maxOutputTokens")
_DRAWS = ("n", "candidateCount")


def at_most(request: Request, prices: Prices) -> Amount:
    """What the answer may cost.

    Input: the bytes of the request's canonical text, which are more than those of the messages.
    Output: the limit in the request's parameters, else `ASSUMED_OUTPUT_TOKENS`, for each draw; none
    for an embedding.

    Raises:
        PermanentError: reason `invalid_request`; the request has no canonical text.
    """
    input_tokens = len(canonical(request))
    output_tokens = 0 if request.api in WITHOUT_OUTPUT else _output_limit(request.parameters)
    price = prices.models.get(request.model)
    money = None if price is None else price.most(input_tokens, output_tokens)
    return Amount(input_tokens + output_tokens, money)


def charged(request: Request, response: Response, prices: Prices) -> Amount:
    """What the answer did cost; nothing for a failed call, of which the ledger knows nothing.

    An endpoint that counts no tokens is charged one per byte of the request's canonical text and
    of the answer: too much rather than nothing.
    """
    if response.text is None:
        return Amount()
    input_tokens, output_tokens = response.usage.input_tokens, response.usage.output_tokens
    if input_tokens is None:
        input_tokens = len(canonical(request))
    if output_tokens is None:
        output_tokens = output_bytes(request.api, response.text)
    return amount(request.model, input_tokens, output_tokens, prices)


def output_bytes(api: str, text: str) -> int:
    """The tokens of an answer at most; an embedding has none."""
    return 0 if api in WITHOUT_OUTPUT else len(text.encode("utf-8", "replace"))


def amount(model: str, input_tokens: int, output_tokens: int, prices: Prices) -> Amount:
    """So many tokens of a model; `money` is None where it has no price."""
    price = prices.models.get(model)
    money = None if price is None else price.cost(input_tokens, output_tokens)
    return Amount(input_tokens + output_tokens, money)


def _output_limit(parameters: Mapping[str, object]) -> int:
    return min(_counts(parameters, _LIMITS), default=ASSUMED_OUTPUT_TOKENS) * max(
        _counts(parameters, _DRAWS), default=1
    )


def _counts(parameters: Mapping[str, object], names: tuple[str, ...]) -> list[int]:
    values = (parameters.get(name) for name in names)
    return [value for value in values if type(value) is int and value > 0]
