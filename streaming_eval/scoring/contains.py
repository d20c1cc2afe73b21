"""Does the response say one of the targets?"""

from __future__ import annotations

import re
from collections.abc import Sequence

from streaming_eval.scoring.definition import BINARY_LEVELS, ScorerDefinition, on_unit_range
from streaming_eval.scoring.normalise import normalise_response, normalise_target

_REVISION = 1

# Thai, Lao, Burmese, Khmer, kana and Han: scripts that put no space between words.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
_WITHIN_WORD = re.compile(rf"[^\W{_UNSPACED}]{{2}}")


def define(name: str) -> ScorerDefinition:
    """The definition of `contains` under this name."""
    return on_unit_range(name, "contains", BINARY_LEVELS, _REVISION)


def contains(response: str, targets: Sequence[str]) -> float | None:
    """1.0 when a target stands in the response as whole words, else 0.0.

    Both are compared after SQuAD normalisation (Rajpurkar et al. 2016). Whole words, because a bare
    substring finds "no" in "know" and "70" in "1970"; scripts without spaces between words are
    searched as they are. None when no target has a word left, such as the option letter A.

    >>> contains("It was Paris, the capital.", ["paris"]), contains("I know.", ["no"])
    (1.0, 0.0)
    """
    wanted = [target for target in map(normalise_target, targets) if target]
    if not wanted:
        return None
    text = normalise_response(response)
    return float(any(_says(text, target) for target in wanted))


def _says(text: str, target: str) -> bool:
    start = text.find(target)
    while start >= 0:
        if not (_cuts_word(text, start) or _cuts_word(text, start + len(target))):
            return True
        start = text.find(target, start + 1)
    return False


def _cuts_word(text: str, at: int) -> bool:
    """Whether the characters before and at this position belong to one word."""
    return at > 0 and _WITHIN_WORD.match(text, at - 1) is not None
