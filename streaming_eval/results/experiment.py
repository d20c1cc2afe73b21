"""One experiment of a stream, and its rows in the table of experiments."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any


class Claim(StrEnum):
    """What an experiment is to show."""

    WORSE = "worse"
    BETTER = "better"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of whom.

    Attributes:
        candidate: name of the model that is asked about.
        against: names of the other.
        claim: shown by evidence against "it is not so by any scorer".
        scorer: None for all.
        segment: NAME=VALUE; None for all samples.
    """

    candidate: str
    against: tuple[str, ...]
    claim: Claim
    scorer: str | None = None
    segment: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a closed experiment came to.

    Attributes:
        pairs: of the scorer that has most.
        scorers: whose evidence was averaged.
        log_evidence: natural logarithm of that average.
        log_needed: what e-LOND asked for.
        found: whether the claim is taken for shown.
    """

    pairs: int
    scorers: tuple[str, ...]
    log_evidence: float
    log_needed: float
    found: bool


@dataclass(frozen=True, slots=True)
class Experiment:
    """One experiment of the stream.

    Attributes:
        place: 1 for the first that was opened.
        alpha: of the whole stream: the expected share of false finds among all.
        outcome: None while it is open.
    """

    name: str
    place: int
    question: Question
    alpha: float
    opened_at: dt.datetime
    closed_at: dt.datetime | None = None
    outcome: Outcome | None = None

    @property
    def passed(self) -> bool:
        """Whether the candidate may stay: it was not shown to be worse, or was to be better."""
        found = self.outcome is not None and self.outcome.found
        return found == (self.question.claim is Claim.BETTER)


def from_rows(rows: Iterable[Mapping[str, Any]]) -> list[Experiment]:
    """The experiments that rows tell of: openings in order, then closings."""
    known: dict[str, Experiment] = {}
    for row in rows:
        name = row["experiment"]
        known[name] = _closed(known[name], row) if row["status"] == "closed" else _opened(row)
    return list(known.values())


def to_row(one: Experiment) -> dict[str, Any]:
    """The row of an opening, or of a closing where there is an outcome."""
    question = asdict(one.question) | {"claim": one.question.claim.value}
    outcome = {} if one.outcome is None else asdict(one.outcome)
    return (
        question
        | outcome
        | {
            "experiment": one.name,
            "status": "opened" if one.outcome is None else "closed",
            "place": one.place,
            "alpha": one.alpha,
            "opened_at": one.opened_at,
            "closed_at": one.closed_at,
        }
    )


def _opened(row: Mapping[str, Any]) -> Experiment:
    question = Question(
        row["candidate"],
        tuple(row["against"]),
        Claim(row["claim"]),
        row["scorer"],
        row["segment"],
    )
    return Experiment(row["experiment"], row["place"], question, row["alpha"], row["opened_at"])


def _closed(opened: Experiment, row: Mapping[str, Any]) -> Experiment:
    outcome = Outcome(
        row["pairs"], tuple(row["scorers"]), row["log_evidence"], row["log_needed"], row["found"]
    )
    return replace(opened, closed_at=row["closed_at"], outcome=outcome)
