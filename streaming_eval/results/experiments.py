"""A stream of experiments without an end, few of whose finds are false.

Each experiment asks one question of a candidate and another model. It is given its place in the
stream when it is opened, before there is evidence; only samples from then on count. When it is
closed it needs the evidence that e-LOND asks at its place, given what was found before it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import log as ln

import numpy as np

from streaming_eval.adapters.experiment_log import ExperimentLog
from streaming_eval.errors import DecisionError, SettingsError
from streaming_eval.results.comparing import ScorerVerdict
from streaming_eval.results.experiment import (
    Claim,
    Experiment,
    Outcome,
    Question,
    from_rows,
    to_row,
)
from streaming_eval.stats.e_lond import ELond

_LONGEST_NAME = 200

Compare = Callable[[Experiment], Sequence[ScorerVerdict]]


def experiments(log: ExperimentLog) -> list[Experiment]:
    """All experiments, in the order of their places."""
    return from_rows(log.rows())


def open_experiment(
    log: ExperimentLog, name: str, question: Question, alpha: float | None, now: dt.datetime
) -> Experiment:
    """Gives an experiment its place; one that is there already keeps the one it has.

    Args:
        log: of the stream.
        name: unique in it.
        question: fixed from now on.
        alpha: of the stream; None for the one that its first experiment has fixed.
        now: only samples from then on count.

    Raises:
        DecisionError: the name stands for another question.
        SettingsError: the name is none, or alpha is not that of the stream.
    """
    if not 0 < len(name) <= _LONGEST_NAME or name != " ".join(name.split()):
        raise SettingsError(f"an experiment's name has 1 to {_LONGEST_NAME} characters, no breaks")
    with log.turn():
        stream = experiments(log)
        alpha = _alpha(stream, alpha)
        for known in stream:
            if known.name != name:
                continue
            if known.question != question:
                raise DecisionError(f"experiment {name} is there and asks something else")
            return known
        made = Experiment(name, len(stream) + 1, question, alpha, now)
        log.append(to_row(made))
        return made


def close_experiment(
    log: ExperimentLog, name: str, compare: Compare, now: dt.datetime, *, dry_run: bool = False
) -> Experiment:
    """Decides an experiment, once: a closed one is returned as it was recorded.

    The evidence is that of this moment, averaged over the scorers by which one can be better, which
    may depend on each other.
    When to close may depend on it.

    Args:
        log: of the stream.
        name: of the experiment.
        compare: the comparison by each scorer, of samples since the experiment was opened.
        now: goes into the record.
        dry_run: say what would be decided, and record nothing.

    Raises:
        DecisionError: there is none of that name.
        SettingsError: by none of the scorers is one end better; nothing is recorded.
        StorageError: there are no pairs yet; nothing is recorded.
    """
    with log.turn():
        stream = experiments(log)
        named = next((each for each in stream if each.name == name), None)
        if named is None:
            raise DecisionError(f"there is no experiment {name}; `experiment list` shows them")
        if named.outcome is not None:
            return named
        outcome = _outcome(compare(named), named.question.claim, needed(stream, named))
        closed = replace(named, closed_at=now, outcome=outcome)
        if not dry_run:
            log.append(to_row(closed))
        return closed


def needed(stream: Sequence[Experiment], one: Experiment) -> float:
    """Log evidence that an experiment needs, were it closed now.

    The finds that count are those at earlier places that are closed by now. They may be fewer than
    will be in the end, so the level is at most e-LOND's.
    """
    found = sum(
        each.outcome is not None and each.outcome.found for each in stream if each.place < one.place
    )
    return -ln(ELond(one.alpha, tested=one.place - 1, found=found).alpha)


def _outcome(found: Sequence[ScorerVerdict], claim: Claim, log_needed: float) -> Outcome:
    directed = [each for each in found if each.has_direction]
    if not directed:
        names = ", ".join(each.scorer for each in found)
        raise SettingsError(f"nothing is better or worse by {names}: more is not, nor is less")
    log_e = [_evidence(each, claim) for each in directed]
    log_mean = float(np.logaddexp.reduce(log_e) - ln(len(log_e)))
    return Outcome(
        pairs=max(each.comparison.n for each in directed),
        scorers=tuple(each.scorer for each in directed),
        log_evidence=log_mean,
        log_needed=log_needed,
        found=log_mean >= log_needed,
    )


def _evidence(verdict: ScorerVerdict, claim: Claim) -> float:
    found = verdict.comparison
    return found.worse.log_e if claim is Claim.WORSE else found.better.log_e


def _alpha(stream: Sequence[Experiment], asked: float | None) -> float:
    fixed = stream[0].alpha if stream else None
    if fixed is None:
        if asked is None or not 0.0 < asked < 1.0:
            raise SettingsError(f"alpha of a stream of experiments lies in (0, 1), not {asked}")
        return asked
    if asked is not None and asked != fixed:
        raise SettingsError(f"alpha of this stream is {fixed:g}, fixed by {stream[0].name}")
    return fixed
