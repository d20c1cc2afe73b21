"""Embeddings as OpenAI defined them: each message of a request is one input, answered by a vector.

The text of an answer is the vector as a compact JSON array of numbers in single precision, the
precision in which models compute and which `base64`, the encoding asked for, transports. A request
of several messages, as `with_coalescing` makes them, is answered by a `JointResponse`.

Reasons of its own, beside those of `http_exchange` and `json_api`: `empty_data`, and `no_vector`
for an input whose vector is missing, given twice, or not finite.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from streaming_eval.adapters.joint_reply import answer_of, by_index
from streaming_eval.adapters.json_api import JsonApi
from streaming_eval.adapters.token_counts import usage_of
from streaming_eval.errors import PermanentError
from streaming_eval.inference.complete import failed
from streaming_eval.records import Request, Response, Usage

_NO_VECTOR = PermanentError("no_vector", "the reply holds no usable vector for this input")


class OpenAIEmbeddings(JsonApi):
    """`/embeddings`; by convention the base URL ends in `/v1`."""

    name = "openai_embeddings"
    answers = "data"
    max_inputs = 2_048

    @staticmethod
    def outputs(request: Request) -> int:
        return 0

    def path(self, request: Request) -> str:
        return "/embeddings"

    def document(self, request: Request) -> Mapping[str, object]:
        inputs = [message.content for message in request.messages]
        asked = {"encoding_format": "base64", **request.parameters}
        return {**asked, "model": request.model, "input": inputs}

    def read(self, request: Request, document: Mapping[str, Any]) -> Response:
        data = document.get("data")
        if not isinstance(data, list) or not data:
            raise PermanentError("empty_data", "the reply holds no vectors")
        parts = [*map(_part, by_index(data, len(request.messages)))]
        return answer_of(parts, _usage(document.get("usage")))


def _usage(told: object) -> Usage:
    """A vector has no output tokens; servers do not say so."""
    usage = usage_of(told, ("prompt_tokens",), ("completion_tokens",))
    said = usage.output_tokens is not None or usage.input_tokens is None
    return usage if said else replace(usage, output_tokens=0)


def _part(item: Mapping[str, Any] | None) -> Response:
    """What became of one input."""
    vector = None if item is None else _vector(item.get("embedding"))
    return failed(_NO_VECTOR) if vector is None else Response(vector)


def _vector(embedding: object) -> str | None:
    numbers = _numbers(embedding)
    if numbers is None or numbers.ndim != 1 or not numbers.size or not np.isfinite(numbers).all():
        return None
    return orjson.dumps(numbers, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def _numbers(embedding: object) -> npt.NDArray[np.float32] | None:
    """Single precision, from base64 of little-endian floats or from a list of numbers."""
    try:
        if isinstance(embedding, str):
            raw = b64decode(embedding, validate=True)
            return np.frombuffer(raw, "<f4").astype(np.float32, copy=False)
        if isinstance(embedding, list):
            given = np.asarray(embedding)
            with np.errstate(over="ignore"):  # becomes infinite, which is refused
                return given.astype(np.float32) if given.dtype.kind in "if" else None
    except (binascii.Error, ValueError):
        return None
    return None
