"""Did the answer come within a limit, such as a service level objective?"""

from __future__ import annotations

import math

from streaming_eval.records import Response, Sample, Score
from streaming_eval.scoring.definition import BINARY_LEVELS, ScorerDefinition
from streaming_eval.scoring.latency_ms import measured

_REVISION = 1
_LIMIT = "limit_ms"


def define(name: str, limit_ms: float) -> ScorerDefinition:
    """The definition of a limit on latency; a latency of exactly `limit_ms` keeps it."""
    return ScorerDefinition(
        name=name,
        kind="latency_within",
        low=0.0,
        high=1.0,
        higher_is_better=True,
        levels=BINARY_LEVELS,
        needs_target=False,
        parameters={_LIMIT: float(limit_ms)},
        code_revision=_REVISION,
    )


def latency_within(
    sample: Sample, response: Response, definition: ScorerDefinition
) -> Score | None:
    """1.0 when the response's latency kept the limit, else 0.0; missing where `latency_ms` is."""
    latency = measured(response, math.inf)
    if latency is None or latency.value is None:
        return latency
    return Score(float(latency.value <= float(str(definition.parameters[_LIMIT]))))
