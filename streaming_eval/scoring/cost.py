"""What did the answer cost?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from streaming_eval.records import Response, Sample, Score, ScoreStatus
from streaming_eval.scoring.against_targets import failed
from streaming_eval.scoring.definition import LOGARITHMIC_LEVELS, ScorerDefinition

_REVISION = 1
_TOLD_APART = 1e-6  # of the cap


@dataclass(frozen=True, slots=True)
class Priced:
    """What costs are computed from.

    Attributes:
        cap: dearer answers count as this much, in the currency; above 0.
        currency: ISO 4217 code.
        per_million: model to what 1,000,000 tokens of requests and of answers cost.
    """

    cap: float
    currency: str
    per_million: Mapping[str, tuple[float, float]]


def define(name: str, priced: Priced) -> ScorerDefinition:
    """The definition of a cost. At other prices the same answer has another one: another version.

    Costs are told apart by their ratio, down to a millionth of the cap.
    """
    prices = {model: list(each) for model, each in priced.per_million.items()}
    return ScorerDefinition(
        name=name,
        kind="cost",
        low=0.0,
        high=float(priced.cap),
        higher_is_better=False,
        levels=LOGARITHMIC_LEVELS,
        needs_target=False,
        parameters={"currency": priced.currency, "per_million": prices},
        code_revision=_REVISION,
        logarithmic=True,
        least=_TOLD_APART * float(priced.cap),
    )


def cost(sample: Sample, response: Response, definition: ScorerDefinition) -> Score | None:
    """What the response cost when it was paid for, cut at the definition's cap.

    A failed call has no cost here, whatever its provider may charge. An answer of unknown cost is
    missing, never free; None where it is production's, which may know no tokens at all.
    """
    if response.text is None:
        return failed(response)
    if response.cost is not None:
        return Score(min(response.cost, definition.high))
    produced = response.attempts == 0 and not response.cached
    return None if produced else Score(None, ScoreStatus.UNPARSABLE, "cost_unknown")
