"""When a batch ends, and what becomes of samples that lack an answer by then."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from streaming_eval.settings.fields import (
    DurationMs,
    InconsistentError,
    Problem,
    Section,
    duration_text,
    milliseconds,
)


class BatchSettings(Section):
    """When a batch ends, and how often samples that lack an answer are tried again."""

    deadline: DurationMs = Field(
        default=milliseconds("5m"),
        description="limit of one batch; what is not answered by then waits for a later one",
    )
    straggler_after: DurationMs = Field(
        default=milliseconds("5s"),
        description="a call that takes longer is a straggler, which a batch need not wait for; its "
        "answer is used when it comes",
    )
    straggler_share: float = Field(
        default=0.05,
        ge=0,
        le=0.5,
        description="share of a batch's calls that may be left behind as stragglers; 0 waits for "
        "all",
    )
    max_tries: int = Field(
        default=5,
        ge=1,
        le=100,
        description="batches in which a sample is tried whose calls fail for a passing reason, "
        "before its scores are `failed`",
    )
    first_pause: DurationMs = Field(
        default=milliseconds("30s"),
        description="before such a sample is tried again; doubled each time",
    )
    longest_pause: DurationMs = Field(
        default=milliseconds("10m"), description="what the doubling ends at"
    )
    max_pending: int = Field(
        default=20_000,
        ge=1,
        description="samples that may wait for a later batch; when there are more, no new batch is "
        "begun and the lag grows",
    )

    @model_validator(mode="after")
    def _pauses_in_order(self) -> Self:
        if self.longest_pause < self.first_pause:
            first = duration_text(self.first_pause)
            wrong = f"shorter than first_pause, which is {first}"
            raise InconsistentError(Problem(("longest_pause",), wrong, f"at least {first}"))
        return self
