"""How much of a target's words and the response's words are the same?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from streaming_eval.scoring.definition import CONTINUUM_LEVELS, ScorerDefinition, on_unit_range
from streaming_eval.scoring.normalise import fold, normalise_response, normalise_target

_REVISION = 1


def define(name: str) -> ScorerDefinition:
    """The definition of a token F1 under this name."""
    return on_unit_range(name, "token_f1", CONTINUUM_LEVELS, _REVISION)


def token_f1(response: str, targets: Sequence[str]) -> float:
    """Harmonic mean of word precision and recall, at the target where it is highest; in [0, 1].

    Words are counted with repetition after SQuAD normalisation. Rajpurkar et al. 2016, "SQuAD:
    100,000+ Questions for Machine Comprehension of Text"; where either side has no words, as in
    Rajpurkar et al. 2018, "Know What You Don't Know: Unanswerable Questions for SQuAD": 1.0 when
    neither has. A target of articles only keeps them, as in `exact_match`.

    >>> token_f1("the red red car", ["a red car"])
    0.8
    """
    words = normalise_response(response).split()
    return max(_at_target(response, words, target) for target in targets)


def _at_target(response: str, words: Sequence[str], target: str) -> float:
    wanted = normalise_target(target)
    if not wanted:
        return _f1(fold(response).split(), fold(target).split())
    return _f1(words, wanted.split())


def _f1(words: Sequence[str], wanted: Sequence[str]) -> float:
    if not words or not wanted:
        return float(len(words) == len(wanted))
    common = set(wanted).intersection(words)
    if not common:  # spares most of the counting
        return 0.0
    have, want = Counter(words), Counter(wanted)
    shared = sum(min(have[word], want[word]) for word in common)
    return 2 * shared / (len(words) + len(wanted))
