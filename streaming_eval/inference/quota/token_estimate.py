"""How many tokens a request will take, before anyone has counted them."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from streaming_eval.records import Request, Usage

_FIRST_PER_CHAR, _FIRST_OUTPUT = 0.3, 256.0
_PER_MESSAGE = 4
_WEIGHT = 1 / 32
_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")


class TokenEstimate:
    """Input by the length of the messages, output by what was seen lately; both per model.

    Args:
        reserve_max_tokens: reserve all of a request's `max_tokens`, for providers that count it so,
            rather than use it as an upper limit.
        outputs: how many texts the model writes for a request.
    """

    def __init__(
        self,
        *,
        reserve_max_tokens: bool = False,
        outputs: Callable[[Request], int] = lambda _: 1,
    ) -> None:
        self._reserve_max_tokens, self._outputs = reserve_max_tokens, outputs
        self._per_char: dict[str, float] = {}
        self._output: dict[str, float] = {}

    def of(self, request: Request) -> int:
        """Tokens to reserve for the request, input and output, at least 1."""
        per_char = self._per_char.get(request.model, _FIRST_PER_CHAR)
        output = self._output_of(request) * self._outputs(request)
        return max(1, ceil(_chars(request) * per_char + output))

    def learn(self, request: Request, usage: Usage) -> int | None:
        """What the request took, where the API said so; later estimates follow it."""
        if usage.input_tokens is None or usage.output_tokens is None:
            return None
        per_char = usage.input_tokens / _chars(request)
        _follow(self._per_char, request.model, per_char)
        each = usage.output_tokens / max(1, self._outputs(request))
        _follow(self._output, request.model, each)
        return usage.input_tokens + usage.output_tokens

    def _output_of(self, request: Request) -> float:
        limits = [request.parameters.get(name) for name in _LIMITS]
        most = min((n for n in limits if type(n) is int and n >= 0), default=None)
        if most is not None and (self._reserve_max_tokens or request.model not in self._output):
            return most
        seen = self._output.get(request.model, _FIRST_OUTPUT)
        return seen if most is None else min(seen, most)


def _chars(request: Request) -> int:
    return sum(len(message.content) + _PER_MESSAGE for message in request.messages) or 1


def _follow(means: dict[str, float], model: str, value: float) -> None:
    mean = means.get(model)
    means[model] = value if mean is None else mean + _WEIGHT * (value - mean)
