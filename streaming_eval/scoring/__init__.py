"""Scorers: pure functions of a sample and a response, each with a declared range.

Adding one takes a file here, a line in `SCORERS`, a line in `define` and a test file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from streaming_eval.scoring import (
    contains,
    embedding_similarity,
    exact_match,
    judge,
    latency_ms,
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
        "latency_ms": latency_ms.latency_ms,
    }
)

_WITHOUT_PARAMETERS: Mapping[str, Callable[[str], ScorerDefinition]] = MappingProxyType(
    {
        "exact_match": exact_match.define,
        "contains": contains.define,
        "embedding_similarity": embedding_similarity.define,
        "token_f1": token_f1.define,
    }
)


def define(
    kind: str,
    name: str,
    *,
    low: int | None = None,
    high: int | None = None,
    cap_ms: float | None = None,
) -> ScorerDefinition:
    """The definition of a scorer of this kind under the operator's name for it.

    Args:
        kind: a key of `SCORERS`, or one that asks a model: `embedding_similarity`, `judge`.
        name: column and metric label.
        low: worst grade; judges need it, others ignore it.
        high: best grade; judges need it, others ignore it.
        cap_ms: longest latency told apart; `latency_ms` needs it, others ignore it.
    """
    if kind == "judge" and low is not None and high is not None:
        return judge.define(name, low, high)
    if kind == "latency_ms" and cap_ms is not None:
        return latency_ms.define(name, cap_ms)
    if kind in _WITHOUT_PARAMETERS:
        return _WITHOUT_PARAMETERS[kind](name)
    raise ValueError(f"no scorer of kind {kind!r} with these parameters")
