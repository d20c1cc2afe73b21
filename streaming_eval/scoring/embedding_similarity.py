"""The pure half of a similarity of vectors: which texts are compared, and what vectors say.

An embedding model turns texts into vectors; texts of one meaning point in one direction.
"""

from __future__ import annotations

from collections.abc import Sequence

from streaming_eval.records import Score, ScoreStatus
from streaming_eval.scoring.definition import CONTINUUM_LEVELS, ScorerDefinition, on_unit_range
from streaming_eval.scoring.direction import direction

_REVISION = 1


def define(name: str) -> ScorerDefinition:
    """The definition of a similarity of vectors under this name."""
    return on_unit_range(name, "embedding_similarity", CONTINUUM_LEVELS, _REVISION)


def comparable(targets: Sequence[str]) -> tuple[str, ...]:
    """The targets that a response can be compared with: blank ones have no meaning."""
    return tuple(dict.fromkeys(target for target in targets if target.strip()))


def embedding_similarity(response: str, targets: Sequence[str]) -> Score:
    """The cosine of the response's vector and the nearest target's, where negative as 0.

    Directions beyond the right angle mean no more than "unrelated" in practice, so the range is
    [0, 1]. Aynetdinov, Akbik 2024, "SemScore: Automated Evaluation of Instruction-Tuned LLMs based
    on Semantic Textual Similarity".

    Args:
        response: vector as a JSON array of numbers.
        targets: likewise, at least one.

    Returns:
        `unparsable` where vectors cannot be compared: `vectors_differ_in_size`, `vector_not_usable`
        (no numbers, or of length 0).

    >>> embedding_similarity("[3,4]", ["[-1,0]", "[6,8]"]).value
    1.0
    >>> embedding_similarity("[3,4]", ["[1,0,0]"]).error
    'vectors_differ_in_size'
    """
    one, others = direction(response), [direction(target) for target in targets]
    usable = [other for other in others if other is not None]
    if one is None or len(usable) < len(others):
        return Score(None, ScoreStatus.UNPARSABLE, "vector_not_usable")
    if any(other.size != one.size for other in usable):
        return Score(None, ScoreStatus.UNPARSABLE, "vectors_differ_in_size")
    best = max(float(one @ other) for other in usable)
    return Score(min(1.0, max(0.0, best)))
