"""Is the response, as a whole, one of the targets?"""

from __future__ import annotations

from collections.abc import Sequence

from streaming_eval.scoring.definition import BINARY_LEVELS, ScorerDefinition, on_unit_range
from streaming_eval.scoring.normalise import fold, normalise_response, normalise_target

_REVISION = 1


def define(name: str) -> ScorerDefinition:
    """The definition of an exact match under this name."""
    return on_unit_range(name, "exact_match", BINARY_LEVELS, _REVISION)


def exact_match(response: str, targets: Sequence[str]) -> float:
    """1.0 when the response agrees with a target after SQuAD normalisation, else 0.0.

    Rajpurkar et al. 2016, "SQuAD: 100,000+ Questions for Machine Comprehension of Text". One stated
    difference: a target that consists of articles only, such as the option letter A, is compared
    with its articles kept; the official script would let an empty response match it.

    >>> exact_match("The  Paris.", ["Lutetia", "paris"])
    1.0
    >>> exact_match("", ["A"])
    0.0
    """
    return float(any(_agree(response, target) for target in targets))


def _agree(response: str, target: str) -> bool:
    wanted = normalise_target(target)
    return normalise_response(response) == wanted if wanted else fold(response) == fold(target)
