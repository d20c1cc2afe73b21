"""Samples that people have graded, by which a judge is watched."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from streaming_eval.settings.fields import Problem, Section


def anchors_label(scorer: str) -> str:
    """The name, in tables and metric labels, of a judge's agreement with people.

    >>> anchors_label("helpfulness")
    'helpfulness:anchors'
    """
    return f"{scorer}:anchors"


class AnchorSettings(Section):
    """How a judge is held against people; none of it changes what its grades mean."""

    file: Path = Field(
        description="JSON Lines: `id`, `prompt` or `messages`, `response`, `grade`, and `target` "
        "or `context` where there is one"
    )
    share: float = Field(
        default=0.3, gt=0, le=1, description="share of the samples beside which one is graded"
    )
    guard: int = Field(
        default=1_000,
        ge=0,
        description="scores after an alarm before it is put down to the system, if the anchors "
        "have not alarmed by then",
    )
    tolerance: int = Field(
        default=0, ge=0, description="grades that judge and people may lie apart and still agree"
    )

    def misfit(self, low: int, high: int) -> Problem | None:
        """Why the tolerance does not suit the judge's scale, if it does not."""
        if self.tolerance < high - low:
            return None
        wrong = f"got {self.tolerance}, so that all grades agree"
        return Problem(("anchors", "tolerance"), wrong, f"0 to {high - low - 1}")
