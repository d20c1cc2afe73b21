"""An alarm from its opening to its end, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class ChangeEstimate:
    """When a drop most likely began, and how many scores have come since.

    Attributes:
        began_ms: start of the pane in which it began.
        n_since: scores from that pane on.
    """

    began_ms: int
    n_since: int


class AlertKind(StrEnum):
    """What an alert is about: a mean that fell, or a distribution that moved."""

    REGRESSION = "regression"
    DRIFT = "drift"


@dataclass(frozen=True, slots=True)
class Alarm:
    """How an alarm opened; it stays as it was then.

    Attributes:
        opened_ms: start of the pane whose evidence first reached the threshold.
        began_ms: start of the pane in which the change was then estimated to have begun.
        log_evidence: log evidence at the opening.
        n_since_began: scores from `began_ms` up to the opening.
    """

    opened_ms: int
    began_ms: int
    log_evidence: float
    n_since_began: int
    kind: AlertKind = AlertKind.REGRESSION


class Why(StrEnum):
    """Why an alarm is not open any more."""

    RECOVERED = "recovered"
    ACKNOWLEDGED = "acknowledged"
    PROMOTED = "promoted"


@dataclass(frozen=True, slots=True)
class Resolution:
    """How an alarm ended.

    Attributes:
        at_ms: start of the closed pane that showed the recovery; for a person's decision, where
            the detector begins anew.
        who: made the decision; empty for a recovery.
        reason: in that person's words.
    """

    why: Why
    at_ms: int
    who: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Transition:
    """One step in the life of an alert: its opening, or with a `resolution` its end."""

    alarm: Alarm
    resolution: Resolution | None = None
