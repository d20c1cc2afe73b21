"""When a change is worth an alert, and what it is measured against."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from streaming_eval.settings.fields import (
    DurationMs,
    InconsistentError,
    Name,
    Problem,
    Section,
    duration_text,
    milliseconds,
)


class BaselineSettings(Section):
    """What `worse` is measured against.

    `pinned`: the first `samples` scores of a series, frozen at the end of their pane.
    `constant`: the known mean `value` on the scorer's own scale (for a comparison: the known mean
    difference, 0 meaning as good as the other).
    """

    kind: Literal["pinned", "constant"] = Field(default="pinned", description="observed, or known")
    samples: int = Field(
        default=5_000, ge=100, description="`pinned`: how many scores make the baseline"
    )
    value: float | None = Field(default=None, description="`constant`: the known mean")

    @model_validator(mode="after")
    def _constant_has_value(self) -> Self:
        if self.kind == "constant" and self.value is None:
            wrong = "is required for kind constant"
            raise InconsistentError(Problem(("value",), wrong, "a number"))
        if self.kind != "constant" and self.value is not None:
            wrong = f"belongs to kind constant, this is {self.kind}"
            raise InconsistentError(Problem(("value",), wrong, "nothing for kind pinned"))
        return self


class ComparisonSettings(Section):
    """A candidate against another model on the same samples."""

    candidate: Name = Field(description="a name under `candidates`")
    against: Name = Field(description="another candidate, or `production`")
    baseline: BaselineSettings | None = Field(
        default=None,
        description="when absent, `monitor.baseline` if that is pinned, else a pinned one",
    )
    smallest_effect: float | None = Field(
        default=None, gt=0, description="of the difference; the scorer's when absent"
    )


class FalseAlarmSettings(Section):
    """The fleet's budget: on average at most one false alarm per `once_per`, over every series."""

    once_per: DurationMs = Field(
        default=milliseconds("1w"),
        description="mean time to a false alarm of the whole fleet, at least",
    )


class MonitorSettings(Section):
    """Windows, intervals and alarms."""

    pane: DurationMs = Field(
        default=milliseconds("1m"), description="the clock of alarms, in event time"
    )
    window: DurationMs = Field(
        default=milliseconds("1h"),
        description="span of the published intervals, a whole number of panes",
    )
    allowed_lateness: DurationMs = Field(
        default=milliseconds("2m"), description="how late a sample may come and still be counted"
    )
    clusters: Literal["conversation", "prompt", "none"] = Field(
        default="conversation",
        description="samples that share it count once, where it first appears, with their mean",
    )
    alpha: float = Field(
        default=0.05, gt=0, lt=1, description="probability that an interval ever misses the mean"
    )
    smallest_effect: float = Field(
        default=0.02, gt=0, lt=1, description="share of a scorer's range that is not worth a page"
    )
    baseline: BaselineSettings = BaselineSettings()
    false_alarms: FalseAlarmSettings = FalseAlarmSettings()
    expected_samples_per_window: int = Field(
        default=1_000, ge=10, description="samples at which the intervals are made tightest"
    )
    max_series: int = Field(
        default=2_000,
        ge=1,
        description="series at most; a configuration that can make more is refused",
    )
    forget_quiet_series_after: DurationMs = Field(
        default=milliseconds("24h"),
        description="a series without samples for so long vanishes from metrics and status page",
    )

    @model_validator(mode="after")
    def _window_is_made_of_panes(self) -> Self:
        if self.window % self.pane:
            pane = duration_text(self.pane)
            wrong = f"{duration_text(self.window)} is not a whole number of panes of {pane}"
            allowed = f"multiples of `pane`, such as {duration_text(60 * self.pane)}"
            raise InconsistentError(Problem(("window",), wrong, allowed))
        return self
