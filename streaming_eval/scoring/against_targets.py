"""What all scorers that compare a response with targets have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from streaming_eval.records import Response, Sample, Score, ScoreStatus
from streaming_eval.scoring.definition import Scorer, ScorerDefinition

Measure = Callable[[str, Sequence[str]], float | None]


def against_targets(measure: Measure) -> Scorer:
    """A scorer from a function of the response's text and the targets.

    A sample without targets has no score; a failed response has one without a value.
    """

    def scorer(sample: Sample, response: Response, definition: ScorerDefinition) -> Score | None:
        if not sample.targets:
            return None
        if response.text is None:
            return failed(response)
        value = measure(response.text, sample.targets)
        return None if value is None else Score(value)

    return scorer


def failed(response: Response) -> Score:
    """The score of a response that never came: missing data, with the call's error."""
    return Score(None, ScoreStatus.FAILED, response.error)
