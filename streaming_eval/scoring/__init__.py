"""Scorers: pure functions of a sample and a response, each with a declared range.

Adding one takes a file here, a line in `SCORERS`, a line in `define` and a test file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from streaming_eval.scoring import (
    contains,
    cost,
    embedding_cell,
    embedding_similarity,
    exact_match,
    judge,
    latency_ms,
    latency_within,
    refusal,
    text_length,
    token_f1,
)
from streaming_eval.scoring.against_targets import against_targets
from streaming_eval.scoring.definition import (
    Scorer,
    ScorerDefinition,
    definition_json,
    evaluation_version,
)

__all__ = [
    "SCORERS",
    "Scorer",
    "ScorerDefinition",
    "define",
    "definition_json",
    "evaluation_version",
]

SCORERS: Mapping[str, Scorer] = MappingProxyType(
    {
        "exact_match": against_targets(exact_match.exact_match),
        "contains": against_targets(contains.contains),
        "token_f1": against_targets(token_f1.token_f1),
        "cost": cost.cost,
        "latency_ms": latency_ms.latency_ms,
        "latency_within": latency_within.latency_within,
        "prompt_chars": text_length.prompt_chars,
        "response_chars": text_length.response_chars,
        "refusal": refusal.refusal,
    }
)

_WITHOUT_PARAMETERS: Mapping[str, Callable[[str], ScorerDefinition]] = MappingProxyType(
    {
        "exact_match": exact_match.define,
        "contains": contains.define,
        "embedding_similarity": embedding_similarity.define,
        "prompt_chars": text_length.define_prompt_chars,
        "refusal": refusal.define,
        "response_chars": text_length.define_response_chars,
        "token_f1": token_f1.define,
    }
)


def define(  # noqa: PLR0913 - what the kinds need, each of which needs little of it
    kind: str,
    name: str,
    *,
    low: int | None = None,
    high: int | None = None,
    cap_ms: float | None = None,
    logarithmic: bool = False,
    priced: cost.Priced | None = None,
    limit_ms: float | None = None,
    cells: embedding_cell.Cells | None = None,
) -> ScorerDefinition:
    """The definition of a scorer of this kind under the operator's name for it.

    Args:
        kind: a key of `SCORERS`, or one that asks a model: `embedding_cell`,
            `embedding_similarity`, `judge`.
        name: column and metric label.
        low: worst grade; judges need it, others ignore it.
        high: best grade; judges need it, others ignore it.
        cap_ms: longest latency told apart; `latency_ms` needs it, others ignore it.
        logarithmic: whether latencies of `latency_ms` are told apart by their ratio.
        priced: what costs are computed from; `cost` needs it, others ignore it.
        limit_ms: longest latency that is good; `latency_within` needs it, others ignore it.
        cells: what is told apart; `embedding_cell` needs it, others ignore it.
    """
    if kind == "judge" and low is not None and high is not None:
        return judge.define(name, low, high)
    if kind == "latency_ms" and cap_ms is not None:
        return latency_ms.define(name, cap_ms, logarithmic=logarithmic)
    if kind == "cost" and priced is not None:
        return cost.define(name, priced)
    if kind == "latency_within" and limit_ms is not None:
        return latency_within.define(name, limit_ms)
    if kind == "embedding_cell" and cells is not None:
        return embedding_cell.define(name, cells)
    if kind in _WITHOUT_PARAMETERS:
        return _WITHOUT_PARAMETERS[kind](name)
    raise ValueError(f"no scorer of kind {kind!r} with these parameters")
