"""How long are prompt and response? No length is better than another, but a change is news."""

from __future__ import annotations

from streaming_eval.records import Response, Sample, Score
from streaming_eval.scoring.against_targets import failed
from streaming_eval.scoring.definition import LOGARITHMIC_LEVELS, ScorerDefinition

_REVISION = 1
_LONGEST = 1_000_000.0  # characters told apart; each of 129 levels is 11% longer than the last


def define_prompt_chars(name: str) -> ScorerDefinition:
    """The definition of a prompt's length under this name."""
    return _define(name, "prompt_chars", of_prompt=True)


def define_response_chars(name: str) -> ScorerDefinition:
    """The definition of a response's length under this name."""
    return _define(name, "response_chars", of_prompt=False)


def prompt_chars(sample: Sample, response: Response, definition: ScorerDefinition) -> Score:
    """Characters (Unicode code points) of all messages together, cut at the definition's end.

    What production sent: the system prompt of a candidate is not counted.
    """
    chars = sum(len(message.content) for message in sample.messages)
    return Score(min(float(chars), definition.high))


def response_chars(sample: Sample, response: Response, definition: ScorerDefinition) -> Score:
    """Characters (Unicode code points) of the response, cut at the definition's end."""
    if response.text is None:
        return failed(response)
    return Score(min(float(len(response.text)), definition.high))


def _define(name: str, kind: str, *, of_prompt: bool) -> ScorerDefinition:
    return ScorerDefinition(
        name=name,
        kind=kind,
        low=0.0,
        high=_LONGEST,
        higher_is_better=None,
        levels=LOGARITHMIC_LEVELS,
        needs_target=False,
        code_revision=_REVISION,
        logarithmic=True,
        of_prompt=of_prompt,
    )
