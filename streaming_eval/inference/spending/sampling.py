"""Which samples are asked about when a budget cannot pay for all: a matter of their ids alone.

Every sample has a number in [0, 1) of its own and is drawn when that lies below the rate, so the
samples of a lower rate are among those of a higher one, every model is asked about the same ones,
and a replay draws the same again (Horvitz, Thompson 1952, "A Generalization of Sampling Without
Replacement From a Finite Universe", for the weights; Brewer, Early, Joyce 1972, "Selecting Several
Samples from a Single Population", for one permanent number per unit).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from hashlib import blake2b

from streaming_eval.inference.evaluate import EvaluationPlan, SampleScore
from streaming_eval.records import OTHER, Sample

_PURPOSE = b"sampling"  # so that the numbers are not those that scores are rounded by
_BITS = 53


def unit(sample_id: str) -> float:
    """The sample's number, uniform over ids: 53 bits of a 64-bit BLAKE2b.

    >>> unit("a") == unit("a"), 0 <= unit("a") < 1
    (True, True)
    """
    digest = blake2b(sample_id.encode("utf-8", "replace"), digest_size=8, person=_PURPOSE).digest()
    return (int.from_bytes(digest, "little") >> (64 - _BITS)) * 2.0**-_BITS


@dataclass(frozen=True, slots=True)
class Draw:
    """What is done with the samples of one batch, drawn or not.

    Attributes:
        rate: probability that a sample is drawn, in [0, 1].
        drawn: what is done with a sample that is drawn: everything.
        spared: what is done with the others: everything that no budget limits.
        candidates: names of the candidates that only drawn samples are put to.
        scorers: names of the scorers whose judges only see drawn samples.
    """

    rate: float
    drawn: EvaluationPlan
    spared: EvaluationPlan
    candidates: frozenset[str] = frozenset()
    scorers: frozenset[str] = frozenset()

    def prepared(self, sample: Sample) -> tuple[Sample, EvaluationPlan]:
        """What to evaluate by which plan: one of `drawn` and `spared`.

        A production model under the name of a candidate that is left out goes by `__other__`, as
        it does where that candidate is asked.
        """
        if self.rate >= 1 or unit(sample.id) < self.rate:
            return sample, self.drawn
        if sample.model in self.candidates:
            sample = replace(sample, model=OTHER)
        return sample, self.spared

    def probability(self, row: SampleScore) -> float:
        """Of the score being there at all: 1 divided by it belongs into the score's weight."""
        limited = row.model in self.candidates or row.scorer in self.scorers
        return self.rate if limited else 1.0


def draw(plan: EvaluationPlan, limited: Collection[str], rate: float) -> Draw:
    """A draw at one rate for everything that costs, so that comparisons keep whole pairs.

    Args:
        plan: what is done with a sample when money does not matter.
        limited: models that a budget limits, as their endpoints call them.
        rate: see `Draw`.
    """
    candidates = frozenset(call.name for call in plan.candidates if call.model in limited)
    scorers = frozenset(
        scorer.definition.name
        for scorer in plan.scorers
        if scorer.judge is not None and scorer.judge.call.model in limited
    )
    spared = replace(
        plan,
        candidates=tuple(call for call in plan.candidates if call.name not in candidates),
        scorers=tuple(s for s in plan.scorers if s.definition.name not in scorers),
        anchored=tuple(a for a in plan.anchored if a.judge.call.model not in limited),
    )
    return Draw(rate, plan, spared, candidates, scorers)
