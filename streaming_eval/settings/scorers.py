"""What is measured, and which models measure it."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from streaming_eval.settings.anchors import AnchorSettings
from streaming_eval.settings.fields import InconsistentError, Name, Problem, Section
from streaming_eval.settings.models import ModelSettings, RemoteModelSettings


class JudgeSettings(ModelSettings):
    """A model that grades responses by a rubric on a whole-number scale."""

    rubric: str = Field(min_length=1, description="what the grades mean, in words for the judge")
    low: int = Field(default=1, description="the worst grade")
    high: int = Field(default=3, description="the best grade, 1 to 64 above `low`")
    anchors: AnchorSettings | None = Field(
        default=None, description="samples graded by people, which tell a judge that has changed"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low < self.high <= self.low + 64:
            allowed = f"{self.low + 1} to {self.low + 64}, which is `low` + 1 to 64"
            raise InconsistentError(Problem(("high",), f"got {self.high}", allowed))
        if self.anchors and (problem := self.anchors.misfit(self.low, self.high)):
            raise InconsistentError(problem)
        return self


class EmbeddingSettings(RemoteModelSettings):
    """A model that turns texts into the vectors which `embedding_similarity` compares."""


class ScorerKind(StrEnum):
    """The scorers that exist."""

    EXACT_MATCH = "exact_match"
    CONTAINS = "contains"
    TOKEN_F1 = "token_f1"
    LATENCY_MS = "latency_ms"
    EMBEDDING_SIMILARITY = "embedding_similarity"
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
    drift: bool | None = Field(
        default=None,
        description="whether the distribution of its scores is watched; as `alarm` when absent",
    )
    alarm_weight: float = Field(
        default=1,
        ge=0.01,
        le=100,
        description="share of the false-alarm budget that each of its alarms gets, relative to the "
        "others: more weight, sooner alarms here, later ones there",
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
    embedding: EmbeddingSettings | None = Field(
        default=None, description="required for kind `embedding_similarity`"
    )

    @property
    def raises_alerts(self) -> bool:
        """Whether series of this scorer may raise an alert."""
        return self.kind is not ScorerKind.LATENCY_MS if self.alarm is None else self.alarm

    @property
    def watches_drift(self) -> bool:
        """Whether the distribution of its scores may raise an alert."""
        return self.raises_alerts if self.drift is None else self.drift

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
    def _each_kind_has_its_section(self) -> Self:
        problems = [
            *self._misplaced("judge", ScorerKind.JUDGE, "endpoint, model, rubric"),
            *self._misplaced("embedding", ScorerKind.EMBEDDING_SIMILARITY, "endpoint, model"),
        ]
        if problems:
            raise InconsistentError(*problems)
        return self

    def _misplaced(self, key: str, kind: ScorerKind, keys: str) -> Iterator[Problem]:
        given = getattr(self, key) is not None
        if self.kind is kind and not given:
            yield Problem((key,), f"is required for kind {kind.value}", f"a section with {keys}")
        if given and self.kind is not kind:
            wrong = f"belongs to kind {kind.value}, this is {self.kind.value}"
            yield Problem((key,), wrong, "nothing for the other kinds")

    @model_validator(mode="after")
    def _effect_fits_the_scale(self) -> Self:
        if self.smallest_effect is not None and self.smallest_effect >= self.range:
            wrong = f"got {self.smallest_effect:g}, as much as the scale itself"
            allowed = f"a number above 0 and below {self.range:g}"
            raise InconsistentError(Problem(("smallest_effect",), wrong, allowed))
        return self
