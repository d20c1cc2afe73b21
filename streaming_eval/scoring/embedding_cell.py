"""The pure half of a scorer of topics: which text is embedded, and which centroid is nearest.

A text's embedding falls into the cell of the nearest of some centroids, fitted once on texts of the
past. The cells are categories: a shift among them is a drift of what is asked, or of how it is
answered, whatever its words.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from streaming_eval.records import Response, Sample
from streaming_eval.scoring.definition import ScorerDefinition

_REVISION = 1


class EmbeddedText(StrEnum):
    """What is embedded of a sample and a response to it."""

    PROMPT = "prompt"
    RESPONSE = "response"


@dataclass(frozen=True, slots=True)
class Cells:
    """What is told apart.

    Attributes:
        text: whose embedding it is.
        number: of centroids, 2 or more; of none that are there yet, 2 stands for it.
        digest: of the centroids as they were written down; empty while there are none.
    """

    text: EmbeddedText
    number: int = 2
    digest: str = ""


def define(name: str, cells: Cells) -> ScorerDefinition:
    """The definition of cells under this name: values 0, 1, ... are numbers of centroids."""
    return ScorerDefinition(
        name=name,
        kind="embedding_cell",
        low=0.0,
        high=float(cells.number - 1),
        higher_is_better=None,
        levels=cells.number,
        needs_target=False,
        parameters={"text": cells.text.value, "centroids": cells.digest},
        code_revision=_REVISION,
        categories=True,
        of_prompt=cells.text is EmbeddedText.PROMPT,
    )


def embedded(text: EmbeddedText, sample: Sample, response: Response) -> str | None:
    """The text whose vector is asked for; None for a response that never came.

    Of a conversation it is the newest message of the user: the rest was there before.
    """
    if text is EmbeddedText.RESPONSE:
        return response.text
    asked = [message.content for message in sample.messages if message.role == "user"]
    return asked[-1] if asked else sample.messages[-1].content
