"""How long did the answer take?"""

from __future__ import annotations

from streaming_eval.records import Response, Sample, Score, ScoreStatus
from streaming_eval.scoring.against_targets import failed
from streaming_eval.scoring.definition import (
    CONTINUUM_LEVELS,
    LOGARITHMIC_LEVELS,
    ScorerDefinition,
)

_REVISION = 1


def define(name: str, cap_ms: float, *, logarithmic: bool = False) -> ScorerDefinition:
    """The definition of a latency in which anything above `cap_ms` counts as `cap_ms`."""
    return ScorerDefinition(
        name=name,
        kind="latency_ms",
        low=0.0,
        high=float(cap_ms),
        higher_is_better=False,
        levels=LOGARITHMIC_LEVELS if logarithmic else CONTINUUM_LEVELS,
        needs_target=False,
        code_revision=_REVISION,
        logarithmic=logarithmic,
    )


def latency_ms(sample: Sample, response: Response, definition: ScorerDefinition) -> Score | None:
    """The response's latency in milliseconds, cut at the definition's cap.

    None when nobody measured it. A failed response has no latency: how long it failed says nothing
    about how long an answer takes.
    """
    return measured(response, definition.high)


def measured(response: Response, cap_ms: float) -> Score | None:
    """The same, cut at `cap_ms`."""
    if response.text is None:
        return failed(response)
    latency = response.latency_ms
    if latency is None:
        return None
    if not 0.0 <= latency < float("inf"):
        return Score(None, ScoreStatus.UNPARSABLE, "latency_not_a_duration")
    return Score(min(float(latency), cap_ms))
