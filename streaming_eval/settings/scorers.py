"""What is measured, and which models measure it."""

from __future__ import annotations

from collections.abc import Iterator, Set
from enum import StrEnum
from pathlib import Path
from typing import Literal, Self

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
    """A model that turns texts into the vectors which are compared, or sorted into cells."""


class ScorerKind(StrEnum):
    """The scorers that exist."""

    EXACT_MATCH = "exact_match"
    CONTAINS = "contains"
    TOKEN_F1 = "token_f1"
    LATENCY_MS = "latency_ms"
    LATENCY_WITHIN = "latency_within"
    COST = "cost"
    PROMPT_CHARS = "prompt_chars"
    RESPONSE_CHARS = "response_chars"
    REFUSAL = "refusal"
    EMBEDDING_SIMILARITY = "embedding_similarity"
    EMBEDDING_CELL = "embedding_cell"
    JUDGE = "judge"


_NO_BETTER = frozenset(
    {ScorerKind.PROMPT_CHARS, ScorerKind.RESPONSE_CHARS, ScorerKind.EMBEDDING_CELL}
)
"""Kinds of which no value is better than another."""
_OF_PROMPT = frozenset({ScorerKind.PROMPT_CHARS})
"""Kinds that tell of the prompt alone, whatever else is set."""
_PAID_ONCE = frozenset({ScorerKind.LATENCY_MS, ScorerKind.COST})
"""Kinds whose scores of cached responses are those of the call that was paid for."""
_EMBEDS = frozenset({ScorerKind.EMBEDDING_SIMILARITY, ScorerKind.EMBEDDING_CELL})


class ScorerSettings(Section):
    """One scorer under a name of its own; a change of what it means starts new series."""

    kind: ScorerKind = Field(description="which scorer")
    name: Name | None = Field(
        default=None, description="its name in tables and metric labels; the kind when absent"
    )
    alarm: bool | None = Field(
        default=None,
        description="whether its series raise alerts; when absent, all do but `latency_ms` and "
        "`cost`, whose scores of cached responses are those of the call that was paid for, and "
        "`prompt_chars`, `response_chars` and `embedding_cell`, which cannot: they have no better "
        "and no worse",
    )
    drift: bool | None = Field(
        default=None,
        description="whether the distribution of its scores is watched; when absent, as `alarm`, "
        "and for `cost` and where there is no better and no worse it is",
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
        description="loss that is not worth a page, on the scorer's own scale; for `cost` a share: "
        "0.25 is a quarter dearer; when absent, `monitor.smallest_effect` of its range",
    )
    cap_ms: float = Field(
        default=60_000, gt=0, description="`latency_ms`: longer counts as this much"
    )
    cap_cost: float = Field(
        default=1,
        gt=0,
        description="`cost`: dearer answers count as this much, in the currency of `prices`; costs "
        "are told apart down to a millionth of it",
    )
    logarithmic: bool = Field(
        default=False,
        description="`latency_ms`: latencies are told apart by their ratio; means are geometric, "
        "and `smallest_effect` is a share: 0.25 is a quarter longer",
    )
    limit_ms: float | None = Field(
        default=None,
        gt=0,
        description="required for kind `latency_within`: the longest latency that is good",
    )
    judge: JudgeSettings | None = Field(default=None, description="required for kind `judge`")
    embedding: EmbeddingSettings | None = Field(
        default=None,
        description="required for kinds `embedding_similarity` and `embedding_cell`",
    )
    text: Literal["prompt", "response"] = Field(
        default="response",
        description="`embedding_cell`: what is embedded; of a prompt, the user's newest message",
    )
    centroids: Path | None = Field(
        default=None,
        description="`embedding_cell`: file that `streaming-eval centroids fit` wrote; without it, "
        "vectors are gathered for that and all scores are missing",
    )

    @property
    def raises_alerts(self) -> bool:
        """Whether series of this scorer may raise an alert."""
        silent = self.kind in _NO_BETTER | _PAID_ONCE
        return not silent if self.alarm is None else self.alarm

    @property
    def watches_drift(self) -> bool:
        """Whether the distribution of its scores may raise an alert."""
        usual = self.kind in _NO_BETTER | {ScorerKind.COST} or self.raises_alerts
        return usual if self.drift is None else self.drift

    @property
    def of_prompt(self) -> bool:
        """Whether it tells of the prompt alone, so that candidates have no series of it."""
        cells_of_prompts = self.kind is ScorerKind.EMBEDDING_CELL and self.text == "prompt"
        return self.kind in _OF_PROMPT or cells_of_prompts

    @property
    def label(self) -> str:
        """The name in tables and metric labels."""
        return self.name or self.kind.value

    @property
    def range(self) -> float:
        """Distance between the worst and the best value; 1 for a cost, whose effects are shares."""
        if self.judge is not None:
            return self.judge.high - self.judge.low
        return self.cap_ms if self.kind is ScorerKind.LATENCY_MS else 1.0

    @model_validator(mode="after")
    def _each_kind_has_its_section(self) -> Self:
        problems = [
            *self._misplaced("judge", {ScorerKind.JUDGE}, "a section with endpoint, model, rubric"),
            *self._misplaced("embedding", _EMBEDS, "a section with endpoint, model"),
            *self._misplaced("limit_ms", {ScorerKind.LATENCY_WITHIN}, "milliseconds above 0"),
            *self._without_better(),
            *self._foreign_centroids(),
        ]
        if problems:
            raise InconsistentError(*problems)
        return self

    def _misplaced(self, key: str, kinds: Set[ScorerKind], allowed: str) -> Iterator[Problem]:
        given = getattr(self, key) is not None
        if self.kind in kinds and not given:
            yield Problem((key,), f"is required for kind {self.kind.value}", allowed)
        if given and self.kind not in kinds:
            its = " or ".join(kind.value for kind in ScorerKind if kind in kinds)
            wrong = f"belongs to kind {its}, this is {self.kind.value}"
            yield Problem((key,), wrong, "nothing for the other kinds")

    def _foreign_centroids(self) -> Iterator[Problem]:
        if self.centroids is not None and self.kind is not ScorerKind.EMBEDDING_CELL:
            wrong = f"belongs to kind embedding_cell, this is {self.kind.value}"
            yield Problem(("centroids",), wrong, "nothing for the other kinds")

    def _without_better(self) -> Iterator[Problem]:
        if self.kind not in _NO_BETTER:
            return
        wrong = f"{self.kind.value} has no better and no worse"
        if self.alarm:
            yield Problem(("alarm",), wrong, "false, or nothing; `drift` watches it")
        if self.smallest_effect is not None:
            yield Problem(
                ("smallest_effect",), wrong, "nothing; `monitor.drift.tolerance` is alike"
            )

    @model_validator(mode="after")
    def _effect_fits_the_scale(self) -> Self:
        if self.smallest_effect is not None and self.smallest_effect >= self.range:
            wrong = f"got {self.smallest_effect:g}, as much as the scale itself"
            allowed = f"a number above 0 and below {self.range:g}"
            raise InconsistentError(Problem(("smallest_effect",), wrong, allowed))
        return self
