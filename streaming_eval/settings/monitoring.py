"""When a change is worth an alert, and what it is measured against."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from streaming_eval.settings.fields import (
    DelayMs,
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
    difference).
    `champion`: for a comparison, the other model as it answers now: its scores on the same samples.
    A baseline that is promoted (`streaming-eval baseline promote`) comes before any of these.
    """

    kind: Literal["pinned", "constant", "champion"] = Field(
        default="pinned", description="observed, known, or the other model of a comparison"
    )
    samples: int = Field(
        default=5_000,
        ge=100,
        description="`pinned`: how many scores make the baseline, a promoted one too; below 5,000 "
        "its uncertainty hides small drops",
    )
    value: float | None = Field(default=None, description="`constant`: the known mean")
    seasonal: Literal["hour_of_day"] | None = Field(
        default=None,
        description="`pinned`: compare each pane with the baseline of its hour of the day (UTC); "
        "`samples` is for all 24 together, and a day is collected at least",
    )

    @model_validator(mode="after")
    def _constant_has_value(self) -> Self:
        if self.kind == "constant" and self.value is None:
            wrong = "is required for kind constant"
            raise InconsistentError(Problem(("value",), wrong, "a number"))
        if self.kind != "constant" and self.value is not None:
            wrong = f"belongs to kind constant, this is {self.kind}"
            raise InconsistentError(Problem(("value",), wrong, f"nothing for kind {self.kind}"))
        if self.kind != "pinned" and self.seasonal is not None:
            wrong = f"belongs to kind pinned, this is {self.kind}"
            raise InconsistentError(Problem(("seasonal",), wrong, f"nothing for kind {self.kind}"))
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


class DriftSettings(Section):
    """Whether distributions are watched beside means; every model's own series has one."""

    watch: bool = Field(
        default=True,
        description="watch the distribution of scores, and the mix of segments; shares the budget "
        "of false alarms with the alarms on means",
    )
    tolerance: float = Field(
        default=0.01,
        ge=0,
        lt=1,
        description="change of a cell's share of all scores that is not worth an alert",
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
    sliding_windows: tuple[DurationMs, ...] = Field(
        default=(),
        description="spans of further intervals that end now, each a whole number of windows; "
        "valid at each look, not over all looks",
    )
    allowed_lateness: DurationMs = Field(
        default=milliseconds("2m"), description="how late a sample may come and still be counted"
    )
    label_maturity: DelayMs = Field(
        default=0,
        description="age at which a pane counts: for scores that come long after their sample; "
        "until then it is neither judged nor shown, and nothing for it is late",
    )
    clusters: Literal["conversation", "prompt", "none"] = Field(
        default="conversation",
        description="samples that share it count once, where it first appears, with their mean",
    )
    max_weight: float = Field(
        default=1.0,
        ge=1.0,
        le=20.0,
        description="largest `weight` of a score that counts in full, a larger one counts as this; "
        "at 1 every score counts once",
    )
    alpha: float = Field(
        default=0.05, gt=0, lt=1, description="probability that an interval ever misses the mean"
    )
    smallest_effect: float = Field(
        default=0.02, gt=0, lt=1, description="share of a scorer's range that is not worth a page"
    )
    baseline: BaselineSettings = BaselineSettings()
    drift: DriftSettings = DriftSettings()
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
    def _spans_fit_into_each_other(self) -> Self:
        problems = []
        if self.window % self.pane:
            problems.append(_uneven(("window",), self.window, self.pane, "pane", 60))
        for index, width in enumerate(self.sliding_windows):
            if width % self.window:
                path = ("sliding_windows", index)
                problems.append(_uneven(path, width, self.window, "window", 24))
        if self.baseline.seasonal and milliseconds("1h") % self.pane:
            problems.append(_uneven(("pane",), milliseconds("1h"), self.pane, "pane", 1))
        if self.baseline.kind == "champion":
            wrong = "kind champion belongs to a comparison: a model's own series has no other model"
            problems.append(Problem(("baseline", "kind"), wrong, "pinned or constant"))
        if problems:
            raise InconsistentError(*problems)
        return self


def _uneven(path: tuple[str | int, ...], whole: int, part: int, name: str, times: int) -> Problem:
    wrong = f"{duration_text(whole)} is not a whole number of {name}s of {duration_text(part)}"
    allowed = f"multiples of `{name}`, such as {duration_text(times * part)}"
    return Problem(path, wrong, allowed)
