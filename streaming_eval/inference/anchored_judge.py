"""A judge held against people: beside the traffic it grades anchors, which they have graded.

The system under watch has no part in an anchor, so their agreement falls only if the judge changes.
Every draw is a call of its own (`Request.sample_index`): an answer from the cache would be that of
the judge as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from streaming_eval.inference.asking_scorers import Asked, Endpoints, Judge
from streaming_eval.records import Anchor, Sample, Score
from streaming_eval.scoring import ScorerDefinition

_PURPOSE = b"anchors"  # so that the numbers are not those by which samples are drawn
_BITS = 53


@dataclass(frozen=True, slots=True)
class AnchorDraw:
    """What a sample's id draws: random over ids, and the same in every replay.

    Attributes:
        unit: in [0, 1); the sample takes an anchor along when it lies below the share.
        place: in [0, 1), of the anchor.
        sample_index: of the request, 1 to 2**53 - 1; two samples share one by accident only.
    """

    unit: float
    place: float
    sample_index: int

    @classmethod
    def of(cls, sample_id: str) -> AnchorDraw:
        """The draw of a sample.

        >>> AnchorDraw.of("a") == AnchorDraw.of("a")
        True
        """
        text = sample_id.encode("utf-8", "replace")
        digest = blake2b(text, digest_size=24, person=_PURPOSE).digest()
        unit, place, index = (
            int.from_bytes(digest[at : at + 8], "little") >> (64 - _BITS) for at in (0, 8, 16)
        )
        return cls(unit * 2.0**-_BITS, place * 2.0**-_BITS, max(index, 1))


@dataclass(frozen=True, slots=True)
class Agreement:
    """Whether the judge and people agreed on an anchor: 1 or 0, or no verdict."""

    anchor_id: str
    asked: Asked


@dataclass(frozen=True, slots=True)
class AnchoredJudge:
    """A judge with what people have graded: a scorer of the judge itself.

    Attributes:
        evaluation_version: of the agreement; the judge's own scores keep theirs, since they mean
            the same with and without anchors.
        anchors: at least one.
        share: probability that an anchor is graded beside a sample, in (0, 1].
        tolerance: grades that may lie between the two that still agree.
    """

    definition: ScorerDefinition
    evaluation_version: str
    judge: Judge
    anchors: Sequence[Anchor]
    share: float
    tolerance: int

    def takes_along(self, sample: Sample) -> bool:
        """Whether an anchor is graded beside the sample."""
        return AnchorDraw.of(sample.id).unit < self.share

    async def ask(self, sample: Sample, endpoints: Endpoints) -> Agreement:
        """The agreement on the anchor that the sample draws, at random with replacement."""
        drawn = AnchorDraw.of(sample.id)
        anchor = self.anchors[int(drawn.place * len(self.anchors))]
        asked = await self.judge.grade(
            anchor.sample, anchor.response, endpoints, drawn.sample_index
        )
        score = _agreement(asked.score, anchor.grade, self.tolerance)
        return Agreement(anchor.sample.id, Asked(score, asked.cache_key))


def _agreement(graded: Score, grade: int, tolerance: int) -> Score:
    if graded.value is None:
        return graded
    words = f"judge {graded.value:.0f}, people {grade}"
    if graded.explanation:
        words = f"{words}: {graded.explanation}"
    return Score(float(abs(graded.value - grade) <= tolerance), explanation=words)
