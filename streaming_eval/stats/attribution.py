"""Was it the system or the judge that changed?

Beside the traffic the judge grades anchors: samples that people have graded, the same ones over and
over. The system has no part in them, so their agreement with people can fall only if the judge
changed. A second detector watches that agreement; who alarms first, within a guard, tells.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class Culprit(StrEnum):
    """Who is taken to have changed."""

    UNDECIDED = "undecided"
    SYSTEM = "system"
    JUDGE = "judge"


@dataclass(frozen=True, slots=True)
class Attribution:
    """What an alarm on judged scores is put down to; begun when it opens, final once decided.

    The judge, if the anchors' detector has alarmed by the time that `guard` more scores came; else
    the system. A worse system is blamed on the judge only by a false alarm of the anchors: within
    T panes with probability at most T / A. The other error has no bound: anchors that are too few,
    or too slow because the judge changed less on them than on the traffic, leave the judge
    unnoticed. Draw anchors at random with replacement, from what the traffic looks like.

    Source: Li (2026), Who drifted: the system or the judge? Anytime-valid attribution in LLM
    evaluation pipelines.

    Attributes:
        guard: scores of the traffic after the alarm that the anchors get to catch up.
        n_since: scores of the traffic since the alarm, up to the verdict.
        culprit: the verdict.
    """

    guard: int
    n_since: int = 0
    culprit: Culprit = Culprit.UNDECIDED

    def __post_init__(self) -> None:
        if self.guard < 0:
            raise ValueError(f"guard must be 0 or more, got {self.guard}")

    def observe(self, n: int, *, anchors_alarmed: bool) -> Attribution:
        """The attribution after a pane; the first one is the pane in which the alarm opened.

        Args:
            n: scores of the traffic in the pane, after the alarm.
            anchors_alarmed: whether the anchors' detector has alarmed by the end of the pane.

        >>> Attribution(guard=1_000).observe(600, anchors_alarmed=False).culprit.value
        'undecided'
        """
        if self.culprit is not Culprit.UNDECIDED:
            return self
        now = replace(self, n_since=self.n_since + n)
        if anchors_alarmed:
            return replace(now, culprit=Culprit.JUDGE)
        if now.n_since >= self.guard:
            return replace(now, culprit=Culprit.SYSTEM)
        return now
