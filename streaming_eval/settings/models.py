"""Which models answer and grade, and what is measured."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from streaming_eval.settings.fields import (
    InconsistentError,
    Name,
    Problem,
    Section,
    literal_secrets,
)


class ModelSettings(Section):
    """How to ask one model: shared by candidates and judges."""

    endpoint: Name = Field(description="a name under `endpoints`")
    model: str = Field(min_length=1, description="what the endpoint calls the model")
    revision: str = Field(
        default="", description="your tag for the model's version; part of the cache key"
    )
    system_prompt: str | None = Field(
        default=None, description="put before the messages of a sample"
    )
    parameters: Mapping[str, object] = Field(
        default={"temperature": 0},
        description="sent as they are: temperature, max_tokens, seed, ...",
    )

    @model_validator(mode="after")
    def _no_secrets_on_the_wire(self) -> Self:
        found = [
            Problem(("parameters", *problem.path), problem.message, problem.allowed)
            for problem in literal_secrets(self.parameters, referable=False)
        ]
        if found:
            raise InconsistentError(*found)
        return self


class CandidateSettings(ModelSettings):
    """A model that answers every sample beside production, under its own name."""

    name: Name = Field(description="the model's name in tables and metric labels")


class JudgeSettings(ModelSettings):
    """A model that grades responses by a rubric on a whole-number scale."""

    rubric: str = Field(min_length=1, description="what the grades mean, in words for the judge")
    low: int = Field(default=1, description="the worst grade")
    high: int = Field(default=3, description="the best grade, 1 to 64 above `low`")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low < self.high <= self.low + 64:
            allowed = f"{self.low + 1} to {self.low + 64}, which is `low` + 1 to 64"
            raise InconsistentError(Problem(("high",), f"got {self.high}", allowed))
        return self


class ScorerKind(StrEnum):
    """The scorers that exist."""

    EXACT_MATCH = "exact_match"
    CONTAINS = "contains"
    TOKEN_F1 = "token_f1"
    LATENCY_MS = "latency_ms"
    JUDGE = "judge"


class ScorerSettings(Section):
    """One scorer under a name of its own; a change of what it means starts new series."""

    kind: ScorerKind = Field(description="which scorer")
    name: Name | None = Field(
        default=None, description="its name in tables and metric labels; the kind when absent"
    )
    alarm: bool | None = Field(
        default=None,
        description="whether its series raise alerts; when absent, all do but `latency_ms`, whose "
        "scores of cached responses are the latency of the call that was paid for",
    )
    smallest_effect: float | None = Field(
        default=None,
        gt=0,
        description="loss that is not worth a page, on the scorer's own scale; "
        "when absent, `monitor.smallest_effect` of its range",
    )
    cap_ms: float = Field(
        default=60_000, gt=0, description="`latency_ms`: longer counts as this much"
    )
    judge: JudgeSettings | None = Field(default=None, description="required for kind `judge`")

    @property
    def raises_alerts(self) -> bool:
        """Whether series of this scorer may raise an alert."""
        return self.kind is not ScorerKind.LATENCY_MS if self.alarm is None else self.alarm

    @property
    def label(self) -> str:
        """The name in tables and metric labels."""
        return self.name or self.kind.value

    @property
    def range(self) -> float:
        """Distance between the worst and the best value."""
        if self.judge is not None:
            return self.judge.high - self.judge.low
        return self.cap_ms if self.kind is ScorerKind.LATENCY_MS else 1.0

    @model_validator(mode="after")
    def _judge_belongs_to_judges(self) -> Self:
        judges = self.kind is ScorerKind.JUDGE
        if judges and self.judge is None:
            wrong, allowed = "is required for kind judge", "a section with endpoint, model, rubric"
            raise InconsistentError(Problem(("judge",), wrong, allowed))
        if self.judge is not None and not judges:
            wrong = f"belongs to kind judge, this is {self.kind.value}"
            raise InconsistentError(Problem(("judge",), wrong, "nothing for the other kinds"))
        return self

    @model_validator(mode="after")
    def _effect_fits_the_scale(self) -> Self:
        if self.smallest_effect is not None and self.smallest_effect >= self.range:
            wrong = f"got {self.smallest_effect:g}, as much as the scale itself"
            allowed = f"a number above 0 and below {self.range:g}"
            raise InconsistentError(Problem(("smallest_effect",), wrong, allowed))
        return self
